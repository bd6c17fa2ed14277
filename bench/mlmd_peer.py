"""ml-metadata's own engine on a SQLite file, behind a plain gRPC forwarder; runs in `.venv-mlmd`: `mlmd_peer.py FILE PORT`.

Bytes go through as they are; the engine takes one call at a time.
"""

from __future__ import annotations

import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from ml_metadata.metadata_store.pywrap.metadata_store_extension import metadata_store as engine
from ml_metadata.proto import metadata_store_pb2 as pb
from ml_metadata.proto import metadata_store_service_pb2 as service

SERVICE = "ml_metadata.MetadataStoreService"


def main(file: str, port: int) -> None:
    config = pb.ConnectionConfig()
    config.sqlite.filename_uri = file
    store = engine.CreateMetadataStore(config.SerializeToString(), pb.MigrationOptions().SerializeToString())
    lock = threading.Lock()
    codes = {code.value[0]: code for code in grpc.StatusCode}

    def of(method: str) -> Any:
        call = getattr(engine, method)

        def answer(raw: bytes, context: grpc.ServicerContext) -> bytes:
            with lock:
                response, said, status = call(store, raw)
            if status:
                context.abort(codes[status], said.decode("utf-8", "replace"))
            return bytes(response)

        return answer

    methods = [method.name for method in service.DESCRIPTOR.services_by_name["MetadataStoreService"].methods]
    handlers = {
        method: grpc.unary_unary_rpc_method_handler(of(method))
        for method in methods
        if hasattr(engine, method)
    }
    server = grpc.server(ThreadPoolExecutor(16), options=[("grpc.max_send_message_length", -1)])
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
    server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    print("ready", flush=True)
    server.wait_for_termination()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
