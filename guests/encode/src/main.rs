//! `encode MODULE COMPONENT`: makes a component of a core module that carries its world in a `component-type` section,
//! as `wit-bindgen` writes it. Without WASI there is nothing to adapt, so this is all that `wasm-tools component new`
//! would do.

use std::error::Error;
use std::process::ExitCode;

use wit_component::ComponentEncoder;

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args_os().skip(1).collect();
    let [module, component] = args.as_slice() else {
        eprintln!("usage: encode MODULE COMPONENT");
        return ExitCode::from(2);
    };
    let encode = || -> Result<(), Box<dyn Error>> {
        let module = std::fs::read(module)?;
        let bytes = ComponentEncoder::default().validate(true).module(&module)?.encode()?;
        Ok(std::fs::write(component, bytes)?)
    };
    match encode() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}: {error:#}", module.display());
            ExitCode::FAILURE
        }
    }
}
