//! The providers that come with the program, as components.

/// A provider that comes with the program.
#[derive(Debug, Clone, Copy)]
pub struct Shipped {
    /// Its name.
    pub name: &'static str,
    /// The file it was built to: its name, its version, `.wasm`.
    pub file: &'static str,
    /// Its component. What it is, is what `guests/components/DIGESTS` says; a test holds that.
    pub component: &'static [u8],
}

impl Shipped {
    /// Its version.
    pub fn version(&self) -> &'static str {
        let stem = self.file.strip_suffix(".wasm").unwrap_or(self.file);
        stem.rsplit_once('-').map_or(stem, |(_, version)| version)
    }
}

macro_rules! shipped {
    ($($name:literal = $file:literal),* $(,)?) => {
        /// All of them.
        pub const SHIPPED: &[Shipped] = &[$(Shipped {
            name: $name,
            file: $file,
            component: include_bytes!(concat!("../../../guests/components/", $file)),
        }),*];
    };
}

shipped! {
    "linux.exec" = "linux-exec-0.1.0.wasm",
    "linux.file" = "linux-file-0.1.0.wasm",
    "linux.pkg" = "linux-pkg-0.1.0.wasm",
    "linux.service" = "linux-service-0.1.0.wasm",
    "linux.user" = "linux-user-0.1.0.wasm",
    "probe.net" = "probe-net-0.1.0.wasm",
}
