// Follows the server's stream of changes while the page is looked at; where there is none, questions are asked now and then as before.
import type { QueryClient } from "@tanstack/react-query";
import { HOME, token } from "../api/client";

const REST = 1000; // ms between two rounds of asking again
const SLOW = 30_000; // ms between questions that the stream makes unnecessary, in case it fell silent
const SETTLED = 2500; // ms after which all is asked for once more when a stream begins
const SILENT = 15_000; // ms without a sign of life, after which a stream is given up

let streaming = false;

/** How long to wait before asking again: much longer while the server tells of changes. */
export const pace = (ms: number): number => (streaming ? Math.max(ms, SLOW) : ms);

/** Marks a question whose answer changes with the record. */
export const LIVE = { live: true } as const;

/** Ask again all that is looked at and may have changed; at most once a second, and never while the last round is still under way. */
function refresher(queries: QueryClient): () => void {
  let busy = false;
  let again = false;
  const run = async () => {
    busy = true;
    again = false;
    const began = Date.now();
    await queries.invalidateQueries({ predicate: (query) => query.meta?.live === true, refetchType: "active" }).catch(() => undefined);
    const rest = Math.max(REST, 2 * (Date.now() - began));
    window.setTimeout(() => {
      busy = false;
      if (again) void run();
    }, rest);
  };
  return () => {
    if (busy) again = true;
    else void run();
  };
}

/** Events of a stream by what their `data` lines say, as they come. */
export async function* events(body: ReadableStream<Uint8Array>, heard: () => void): AsyncGenerator<string> {
  const reader = body.pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>).getReader();
  let rest = "";
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      heard();
      rest += value;
      const parts = rest.split("\n\n");
      rest = parts.pop() ?? "";
      for (const part of parts) {
        const data = part.split("\n").filter((line) => line.startsWith("data:")).map((line) => line.slice(5).trim()).join("\n");
        if (data) yield data;
      }
    }
  } finally {
    void reader.cancel().catch(() => undefined);
  }
}

/** Begin to follow; gives back what ends it. A page in the background lets go of its connection. */
export function follow(queries: QueryClient): () => void {
  const refresh = refresher(queries);
  let ended = false;
  let stop = new AbortController();
  let wait = 1000;
  let wake: (() => void) | undefined;
  const pause = (ms: number) => new Promise<void>((done) => {
    wake = done;
    window.setTimeout(done, ms);
  });
  const once = async () => {
    stop = new AbortController();
    const shown = token();
    // What lies between may hold a stream back until its end: then nothing is heard, and questions go on.
    let timer = window.setTimeout(() => stop.abort(), SILENT);
    const answer = await fetch(`${HOME}api/lineal/v1/live`, { signal: stop.signal, cache: "no-store", headers: { Accept: "text/event-stream", ...(shown ? { Authorization: `Bearer ${shown}` } : {}) } });
    if (!answer.ok || !answer.body || !(answer.headers.get("content-type") ?? "").startsWith("text/event-stream")) {
      window.clearTimeout(timer);
      stop.abort();
      wait = 30_000; // refused, or something between does not pass streams on
      return;
    }
    const heard = () => {
      window.clearTimeout(timer);
      timer = window.setTimeout(() => stop.abort(), SILENT);
      streaming = true;
      wait = 1000;
    };
    try {
      let first = true;
      for await (const _ of events(answer.body, heard)) {
        // The first tells no change; but something may have changed before it came.
        if (!first) refresh();
        else window.setTimeout(() => !ended && refresh(), SETTLED);
        first = false;
      }
    } finally {
      window.clearTimeout(timer);
    }
  };
  const loop = async () => {
    while (!ended) {
      if (document.visibilityState === "hidden") await pause(3_600_000);
      else {
        await once().catch(() => undefined);
        const broke = streaming;
        streaming = false;
        if (broke && !ended) refresh(); // so that a server which is away is noticed at once
        if (!ended) await pause(wait);
        wait = Math.min(wait * 2, 30_000);
      }
    }
  };
  const seen = () => {
    if (document.visibilityState === "hidden") stop.abort();
    wake?.();
  };
  document.addEventListener("visibilitychange", seen);
  void loop();
  return () => {
    ended = true;
    document.removeEventListener("visibilitychange", seen);
    stop.abort();
    wake?.();
  };
}
