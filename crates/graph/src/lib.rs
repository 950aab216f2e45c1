//! The MVCC head: nodes, edges, versions, transactions, conflicts, adjacency and label lists.
