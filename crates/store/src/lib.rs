//! The commit pipeline, recovery and checkpoints over graph, history and log.
