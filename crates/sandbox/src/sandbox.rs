//! [`Sandbox`]: the engine, the slots calls run in, and the modules it has loaded.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use model::Digest;
use tokio::sync::Semaphore;
use wasmtime::Engine;
use wasmtime::component::{Component, HasSelf, Linker};

use crate::bindings::DescribedAction;
use crate::cache::{Cache, Origin};
use crate::limits::{DEFAULT_MEMORY_BYTES, DEFAULT_SLOTS, MAX_COMPONENT_BYTES};
use crate::module::Module;
use crate::provide::ProviderModule;
use crate::state::State;
use crate::ticker::Ticker;
use crate::{SandboxError, engine};

/// How a sandbox is set up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Where compiled code is kept. Without it every process compiles every component once. The directory is made with
    /// mode 0700 if it is not there, and refused if anybody else can write to it.
    pub cache_dir: Option<PathBuf>,
    /// The most memory a call's limits may ask for, in bytes.
    pub max_memory_bytes: usize,
    /// Calls that run at the same time.
    pub slots: u32,
    /// Whether memory for all slots is reserved (not used) up front: 4 GiB of address space a slot. Turn it off where
    /// address space is short; the limits stay the same.
    pub pooling: bool,
    /// Whether fuel is counted, which makes guests about a quarter slower.
    pub fuel: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            cache_dir: None,
            max_memory_bytes: DEFAULT_MEMORY_BYTES,
            slots: DEFAULT_SLOTS,
            pooling: true,
            fuel: false,
        }
    }
}

/// What all modules of a sandbox share.
pub(crate) struct Shared {
    pub(crate) engine: Engine,
    pub(crate) config: Config,
    pub(crate) slots: Semaphore,
    pub(crate) ticker: Ticker,
    linker: Linker<State>,
    cache: Option<Cache>,
    loaded: Mutex<HashMap<Digest, Weak<Module>>>,
}

/// Runs actions. Cheap to clone; one for a process is enough.
#[derive(Clone)]
pub struct Sandbox(Arc<Shared>);

impl std::fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Sandbox").field(&self.0.config).finish()
    }
}

impl Sandbox {
    /// Sets up a sandbox.
    ///
    /// # Errors
    /// [`SandboxError::Setup`]: the configuration is out of bounds, the address space cannot be had, or the cache
    /// directory is not private to this user.
    pub fn new(config: Config) -> Result<Self, SandboxError> {
        let engine = engine::engine(&config)?;
        let setup = |why: String| SandboxError::Setup { why };
        let mut linker = Linker::new(&engine);
        DescribedAction::add_to_linker::<_, HasSelf<_>>(&mut linker, |state: &mut State| state)
            .map_err(|error| setup(format!("{error:#}")))?;
        let cache =
            config.cache_dir.as_deref().map(|directory| Cache::open(directory, &engine)).transpose()?;
        let ticker =
            Ticker::start(&engine).map_err(|error| setup(format!("cannot start a thread: {error}")))?;
        let slots = Semaphore::new(config.slots as usize);
        let loaded = Mutex::default();
        Ok(Self(Arc::new(Shared { engine, config, slots, ticker, linker, cache, loaded })))
    }

    /// Loads a component whose digest must be `expected`.
    ///
    /// Compiling takes from 50 ms (a small Rust guest) to a minute (a guest that carries a JavaScript engine) and
    /// blocks: call it where blocking is allowed. From the cache it takes about a millisecond, and a component that is
    /// still loaded is handed out again.
    ///
    /// # Errors
    /// [`SandboxError::DigestMismatch`], [`SandboxError::BadComponent`], [`SandboxError::UnknownImport`].
    pub fn load(&self, bytes: &[u8], expected: Digest) -> Result<Arc<Module>, SandboxError> {
        let actual = check(bytes, expected)?;
        if let Some(module) = self.loaded(&actual) {
            return Ok(module);
        }
        let (component, origin) = self.compile(bytes, &actual)?;
        let module = Arc::new(Module::new(Arc::clone(&self.0), &component, &self.0.linker, actual, origin)?);
        let mut loaded = self.0.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        loaded.retain(|_, module| module.strong_count() > 0);
        loaded.insert(actual, Arc::downgrade(&module));
        Ok(module)
    }

    /// Loads a provider whose digest must be `expected`. It imports nothing, or it is refused. As for [`Sandbox::load`],
    /// compiling takes time and blocks.
    ///
    /// # Errors
    /// [`SandboxError::DigestMismatch`], [`SandboxError::BadComponent`], [`SandboxError::ProviderImports`].
    pub fn load_provider(
        &self,
        name: &str,
        bytes: &[u8],
        expected: Digest,
    ) -> Result<ProviderModule, SandboxError> {
        let actual = check(bytes, expected)?;
        let (component, _) = self.compile(bytes, &actual)?;
        ProviderModule::new(Arc::clone(&self.0), name, &component, actual)
    }

    fn loaded(&self, digest: &Digest) -> Option<Arc<Module>> {
        self.0.loaded.lock().unwrap_or_else(PoisonError::into_inner).get(digest).and_then(Weak::upgrade)
    }

    fn compile(&self, bytes: &[u8], digest: &Digest) -> Result<(Component, Origin), SandboxError> {
        let compile = || {
            Component::from_binary(&self.0.engine, bytes)
                .map_err(|error| SandboxError::BadComponent { digest: *digest, why: format!("{error:#}") })
        };
        let Some(cache) = &self.0.cache else { return Ok((compile()?, Origin::Compiled(None))) };
        match cache.load(&self.0.engine, digest) {
            Ok(component) => Ok((component, Origin::Cached)),
            Err(why) => {
                let component = compile()?;
                // A cache that cannot be written costs time, not correctness; the module says so.
                let kept = cache.store(digest, &component);
                Ok((component, Origin::Compiled(why.or_else(|| kept.err()))))
            }
        }
    }
}

/// The digest of a component that is as expected and small enough.
fn check(bytes: &[u8], expected: Digest) -> Result<Digest, SandboxError> {
    let bad = |why: String| SandboxError::BadComponent { digest: expected, why };
    if bytes.len() > MAX_COMPONENT_BYTES {
        return Err(bad(format!("{} bytes; at most {MAX_COMPONENT_BYTES} are loaded", bytes.len())));
    }
    let actual = Digest::of(bytes);
    if actual != expected {
        return Err(SandboxError::DigestMismatch { expected, actual });
    }
    check_kind(bytes).map_err(|why| bad(why.to_owned()))?;
    Ok(actual)
}

/// Tells a component from what people mistake for one (WebAssembly binary format: magic, version, layer).
fn check_kind(bytes: &[u8]) -> Result<(), &'static str> {
    match bytes {
        [b'\0', b'a', b's', b'm', _, _, 1, 0, ..] => Ok(()),
        [b'\0', b'a', b's', b'm', 1, 0, 0, 0, ..] => {
            Err("it is a core module; make it a component with `cargo xtask guests encode MODULE COMPONENT`")
        }
        _ => Err("it is not WebAssembly"),
    }
}
