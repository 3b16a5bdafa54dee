//! E03: workflow documents.

codes! {
    MALFORMED = "E0301", Usage, "the document is not well-formed YAML or JSON";
    UNKNOWN_FIELD = "E0302", Usage, "the document has a property the DSL does not know";
    WRONG_TYPE = "E0303", Usage, "a value has the wrong type or form";
    MISSING_FIELD = "E0304", Usage, "a required property is missing";
    UNKNOWN_TASK = "E0305", Usage, "a task is of no known kind";
    BAD_EXPRESSION = "E0306", Usage, "a runtime expression does not compile";
    UNKNOWN_FUNCTION = "E0307", Usage, "a function is not known";
    BAD_FLOW = "E0308", Usage, "a flow directive leads nowhere or round in circles";
    UNSUPPORTED = "E0309", Usage, "the DSL has it, Aedile does not yet";
    BAD_REFERENCE = "E0310", Usage, "a reference into `use` leads nowhere";
    BAD_SCHEMA = "E0311", Usage, "a schema cannot be used";
    TOO_DEEP = "E0312", Usage, "the document is nested deeper than the limit";
    INPUT_REFUSED = "E0313", Usage, "the input does not match the workflow's schema";
    DUPLICATE = "E0314", Usage, "a name is used twice";
    MISSING_SECRET = "E0315", Usage, "a secret the workflow uses is not provided";
}
