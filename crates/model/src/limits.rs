//! Every bound of the store, named once. What exceeds one is a typed error, never a truncation.

/// Bytes of a node's key, an edge's key, a label, an edge type or a property name, in UTF-8.
pub const KEY_BYTES_MAX: usize = 1024;
/// Bytes of one string or bytes value, and of one property's whole encoded value.
pub const VALUE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Intervals of valid time in which one property holds something.
pub const INTERVALS_MAX: usize = 4_096;
/// Lists and maps inside each other.
pub const NESTING_MAX: usize = 32;
/// Properties of one node or edge.
pub const PROPERTIES_MAX: usize = 1024;
/// Labels of one node.
pub const LABELS_MAX: usize = 256;
/// Verbs of one transaction.
pub const OPERATIONS_MAX: usize = 1_000_000;
/// Entries of one transaction's read set.
pub const READS_MAX: usize = 1_000_000;
/// Bytes of one frame's payload, and so of one transaction's operations.
pub const FRAME_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Commits that wait for the disk.
pub const COMMIT_QUEUE_MAX: usize = 65_536;
/// Snapshots and transactions open at once, of one store.
pub const SNAPSHOTS_MAX: usize = 1_024;
/// Exact parents that a commit stores; more are stored coarsely, flagged.
pub const PARENTS_MAX: usize = 64;
/// Different labels, edge types, property names and principals of one store.
pub const NAMES_MAX: usize = 1 << 24;
/// Nodes ever created in one store, and likewise edges.
pub const ENTITIES_MAX: usize = u32::MAX as usize - 1;
/// Properties of labels for which rules were ever declared.
pub const INDEXES_MAX: usize = 1024;
/// Properties of which one store has a lookup at a time.
pub const LOOKUPS_MAX: usize = 64;
/// Bytes of a value that an index keeps; of a longer one it keeps the beginning and a hash.
pub const INDEX_KEY_BYTES: usize = 64;
/// Forks that one stands on, itself among them.
pub const LAYER_DEPTH_MAX: usize = 8;
/// Forks that a store ever had.
pub const LAYERS_MAX: usize = 65_536;
/// Nodes that one traversal reaches at most.
pub const REACH_MAX: usize = 65_536;
/// Edges that one traversal looks at.
pub const TRAVERSED_EDGES_MAX: usize = 1_000_000;
/// Versions that are kept one by one where the past before the horizon is let go.
pub const KEPT_VERSIONS_MAX: usize = 65_536;
/// How often `write` runs its function again after a conflict.
pub const WRITE_ATTEMPTS_MAX: u32 = 16;
