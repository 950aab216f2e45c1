//! The binding: converts, maps errors, keeps handles. The only place that names napi.

mod cells;
mod direct;
mod environment;
mod thrown;
