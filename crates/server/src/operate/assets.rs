//! Files that pages refer to: in the program itself, at addresses that name their digest, so that browsers keep them for ever.

use std::sync::LazyLock;

use model::Digest;

/// A file that browsers fetch.
#[derive(Debug, Clone, Copy)]
pub struct Asset {
    /// Its name in addresses.
    pub name: &'static str,
    /// Its media type.
    pub media_type: &'static str,
    /// What is in it.
    pub bytes: &'static [u8],
}

macro_rules! assets {
    ($($constant:ident: $name:literal, $file:literal, $media_type:literal;)*) => {
        $(
            pub(super) const $constant: Asset = Asset {
                name: $name,
                media_type: $media_type,
                bytes: include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/assets/", $file)),
            };
        )*
        const ALL: &[Asset] = &[$($constant),*];
    };
}

assets! {
    STYLE: "operate.css", "operate.css", "text/css; charset=utf-8";
    SCRIPT: "operate.js", "operate.js", "text/javascript; charset=utf-8";
    VERIFY: "verify.js", "verify.js", "text/javascript; charset=utf-8";
    THEME: "theme.js", "theme.js", "text/javascript; charset=utf-8";
    HTMX: "htmx.min.js", "vendor/htmx.min.js", "text/javascript; charset=utf-8";
    ICON: "icon.svg", "icon.svg", "image/svg+xml";
}

/// Addresses of all files, in the order of [`ALL`].
static PATHS: LazyLock<Vec<(&'static str, String)>> = LazyLock::new(|| {
    ALL.iter().map(|asset| (asset.name, format!("/static/{}/{}", hash(asset), asset.name))).collect()
});

/// What stands for a file's bytes in its address.
fn hash(asset: &Asset) -> String {
    Digest::of(asset.bytes).short()
}

/// The address of a file.
pub(super) fn path(asset: Asset) -> &'static str {
    PATHS.iter().find(|(name, _)| *name == asset.name).map_or("", |(_, path)| path)
}

/// The file with this name, if it still is the one that the address means.
pub fn find(hash: &str, name: &str) -> Option<Asset> {
    ALL.iter().find(|asset| asset.name == name && self::hash(asset) == hash).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_name_digests() {
        for asset in ALL {
            let parts: Vec<&str> = path(*asset).split('/').collect();
            let ["", "static", hash, name] = parts[..] else { panic!("{parts:?}") };
            assert_eq!(find(hash, name).map(|found| found.bytes), Some(asset.bytes));
            assert!(find("000000000000", name).is_none(), "an older file is not found");
        }
    }

    #[test]
    fn vendored_files_are_as_they_were_published() {
        let readme = include_str!("../../assets/vendor/README.md");
        let digest = Digest::of(HTMX.bytes).to_string();
        assert!(readme.contains(&digest["sha256:".len()..]), "{digest}");
    }

    #[test]
    fn nothing_of_ours_needs_what_the_content_security_policy_refuses() {
        for asset in [SCRIPT, THEME, VERIFY] {
            let text = std::str::from_utf8(asset.bytes).unwrap();
            for refused in ["eval(", "new Function", ".style.", "setAttribute(\"style\"", "innerHTML ="] {
                assert!(!text.contains(refused), "{}: {refused}", asset.name);
            }
        }
    }
}
