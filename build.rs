//! Lets the linker leave Node's symbols open: they are found when the addon is loaded.

fn main() {
    napi_build::setup();
}
