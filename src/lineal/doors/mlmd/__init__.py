"""The door for clients of ML Metadata: its service over gRPC."""
