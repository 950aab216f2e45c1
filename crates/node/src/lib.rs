//! The binding: converts, maps errors, keeps handles. The only place that names napi.

#[cfg(feature = "crossing")]
mod crossing;
