//! Answers its input. The smallest useful action, and the one to copy when starting a new one.

wit_bindgen::generate!({ path: "../../wit/action", world: "described-action" });

use aedile::action::types::Effect;

struct Echo;

impl Guest for Echo {
    fn run(input: String) -> Result<String, Failure> {
        Ok(input)
    }

    fn describe() -> Description {
        Description {
            summary: "Answers its input unchanged".into(),
            effect: Effect::Read,
            input_schema: None,
            output_schema: None,
        }
    }
}

export!(Echo);
