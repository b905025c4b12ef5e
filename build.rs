//! A file that is added to `checks/` must be embedded: the compiler watches only those that it has read.

fn main() {
    println!("cargo::rerun-if-changed=checks");
}
