//! The providers that come with the program, as components.

/// A provider that comes with the program.
#[derive(Debug, Clone, Copy)]
pub struct Shipped {
    /// Its name.
    pub name: &'static str,
    /// Its component. What it is, is what `guests/components/DIGESTS` says; a test holds that.
    pub component: &'static [u8],
}

/// All of them.
pub const SHIPPED: &[Shipped] = &[Shipped {
    name: "linux.file",
    component: include_bytes!("../../../guests/components/linux-file-0.1.0.wasm"),
}];
