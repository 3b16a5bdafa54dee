//! Loading, the code cache, and the catalog.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "helpers of tests, which clippy.toml does not see as tests")]

mod common;

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use common::{call, guest, load, run_body};
use model::{Coded, Digest, code};
use sandbox::{Catalog, Config, Origin, Sandbox};
use tempfile::TempDir;

fn with_cache(directory: &Path) -> Sandbox {
    Sandbox::new(Config { cache_dir: Some(directory.to_owned()), slots: 2, ..Config::default() }).unwrap()
}

fn artefacts(directory: &Path) -> Vec<PathBuf> {
    fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect()
}

#[tokio::test]
async fn compiled_code_is_cached_and_used() {
    let directory = TempDir::new().unwrap();
    let cache = directory.path().join("code");
    let echo = guest("echo-0.1.0");
    assert_eq!(load(&with_cache(&cache), &echo).unwrap().origin(), &Origin::Compiled(None));
    assert_eq!(fs::metadata(&cache).unwrap().permissions().mode() & 0o777, 0o700);
    let module = load(&with_cache(&cache), &echo).unwrap();
    assert_eq!(module.origin(), &Origin::Cached);
    assert_eq!(call(&module, "[1]").await.unwrap().value, serde_json::json!([1]));
}

#[tokio::test]
async fn a_changed_artefact_is_never_run() {
    let directory = TempDir::new().unwrap();
    let echo = guest("echo-0.1.0");
    load(&with_cache(directory.path()), &echo).unwrap();
    let path = artefacts(directory.path()).remove(0);
    let good = fs::read(&path).unwrap();
    // one bit in every part: magic, component, engine, digest of the code, code
    for at in [0, 20, 50, 90, 112, good.len() / 2, good.len() - 1] {
        let mut bad = good.clone();
        bad[at] ^= 1;
        fs::write(&path, &bad).unwrap();
        let module = load(&with_cache(directory.path()), &echo).unwrap();
        assert!(matches!(module.origin(), Origin::Compiled(Some(_))), "byte {at}: {:?}", module.origin());
        assert_eq!(call(&module, "1").await.unwrap().value, 1);
        assert_eq!(load(&with_cache(directory.path()), &echo).unwrap().origin(), &Origin::Cached);
    }
    for cut in [0, 50, 112, good.len() - 1] {
        fs::write(&path, &good[..cut]).unwrap();
        let module = load(&with_cache(directory.path()), &echo).unwrap();
        assert!(matches!(module.origin(), Origin::Compiled(Some(_))), "cut at {cut}");
    }
}

#[test]
fn the_artefact_of_another_component_is_refused() {
    let directory = TempDir::new().unwrap();
    let echo = guest("echo-0.1.0");
    load(&with_cache(directory.path()), &echo).unwrap();
    let echo_path = artefacts(directory.path()).remove(0);
    let other = run_body("(unreachable)");
    load(&with_cache(directory.path()), &other).unwrap();
    let other_path = artefacts(directory.path()).into_iter().find(|path| *path != echo_path).unwrap();
    fs::copy(&other_path, &echo_path).unwrap();
    assert!(matches!(
        load(&with_cache(directory.path()), &echo).unwrap().origin(),
        Origin::Compiled(Some(_))
    ));
}

#[test]
fn engines_of_another_kind_have_artefacts_of_their_own() {
    let directory = TempDir::new().unwrap();
    let echo = guest("echo-0.1.0");
    load(&with_cache(directory.path()), &echo).unwrap();
    let config =
        Config { cache_dir: Some(directory.path().to_owned()), fuel: true, slots: 2, ..Config::default() };
    let module = load(&Sandbox::new(config).unwrap(), &echo).unwrap();
    assert_eq!(module.origin(), &Origin::Compiled(None));
    assert_eq!(artefacts(directory.path()).len(), 2);
}

#[test]
fn a_directory_others_can_write_to_is_refused() {
    let directory = TempDir::new().unwrap();
    let open = directory.path().join("open");
    fs::create_dir(&open).unwrap();
    fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
    let link = directory.path().join("link");
    symlink(directory.path(), &link).unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    for path in [open, link, file] {
        let config = Config { cache_dir: Some(path.clone()), slots: 2, ..Config::default() };
        let error = Sandbox::new(config).unwrap_err();
        assert_eq!(error.code(), code::sandbox::SANDBOX_SETUP);
        assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
    }
}

#[test]
fn a_loaded_component_is_handed_out_again() {
    let sandbox = common::sandbox();
    let echo = guest("echo-0.1.0");
    let (first, second) = (load(&sandbox, &echo).unwrap(), load(&sandbox, &echo).unwrap());
    assert!(std::sync::Arc::ptr_eq(&first, &second));
}

#[tokio::test]
async fn without_a_pool_everything_still_works() {
    let sandbox = Sandbox::new(Config { pooling: false, ..Config::default() }).unwrap();
    let module = load(&sandbox, &guest("echo-0.1.0")).unwrap();
    assert_eq!(call(&module, "1").await.unwrap().value, 1);
}

#[test]
fn settings_out_of_bounds_are_refused() {
    for config in [
        Config { slots: 0, ..Config::default() },
        Config { slots: 100_000, ..Config::default() },
        Config { max_memory_bytes: 0, ..Config::default() },
        Config { max_memory_bytes: 5 << 30, ..Config::default() },
    ] {
        assert_eq!(Sandbox::new(config).unwrap_err().code(), code::sandbox::SANDBOX_SETUP);
    }
}

#[test]
fn the_catalog_finds_actions_by_name_and_version() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("echo.wasm");
    let echo = guest("echo-0.1.0");
    fs::write(&path, &echo).unwrap();
    let digest = Digest::of(&echo);
    let mut catalog = Catalog::new();
    catalog.add("echo", "0.1.0", digest, &path).unwrap();
    catalog.add("echo", "0.1.0", digest, &path).unwrap();
    catalog.add("gone", "1.0.0", digest, directory.path().join("gone.wasm")).unwrap();
    catalog.add("swapped", "1.0.0", Digest::of(b"other"), &path).unwrap();
    assert!(catalog.add("echo", "0.1.0", Digest::of(b"other"), &path).is_err());
    assert_eq!(catalog.digest("echo", "0.1.0"), Some(digest));
    assert_eq!(catalog.iter().count(), 3);

    for version in ["0.9.0", "0.10.0", "0.11.0-rc.1"] {
        catalog.add("many", version, digest, &path).unwrap();
    }
    assert_eq!(catalog.newest("many").unwrap().to_string(), "0.10.0");
    assert_eq!(catalog.newest("nobody"), None);
    assert!(catalog.add("echo", "latest", digest, &path).is_err());

    let sandbox = common::sandbox();
    let module = catalog.module(&sandbox, "echo", "0.1.0").unwrap();
    assert_eq!(module.digest(), digest);
    // it stays loaded: the file is not read again
    fs::remove_file(&path).unwrap();
    catalog.module(&sandbox, "echo", "0.1.0").unwrap();

    let error = catalog.module(&sandbox, "echo", "2.0.0").unwrap_err();
    assert_eq!(error.code(), code::sandbox::UNKNOWN_ACTION);
    assert!(error.to_string().contains("there is 0.1.0"), "{error}");
    assert_eq!(catalog.module(&sandbox, "nobody", "1").unwrap_err().code(), code::sandbox::UNKNOWN_ACTION);
    assert_eq!(catalog.module(&sandbox, "gone", "1.0.0").unwrap_err().code(), code::sandbox::BAD_COMPONENT);
    fs::write(&path, &echo).unwrap();
    assert_eq!(
        catalog.module(&sandbox, "swapped", "1.0.0").unwrap_err().code(),
        code::sandbox::DIGEST_MISMATCH
    );
}
