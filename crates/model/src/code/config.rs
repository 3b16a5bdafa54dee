//! E10: the configuration of a project.

codes! {
    UNKNOWN_FIELD = "E1001", Usage, "a field of the configuration is not known";
    BAD_VALUE = "E1002", Usage, "a value of the configuration has the wrong form";
    BAD_REFERENCE = "E1003", Usage, "a reference to a secret or an output cannot be read";
    VARIABLE = "E1004", Usage, "a variable is unknown or has no value";
    ENVIRONMENT = "E1005", Usage, "the project has no such environment";
    STARLARK = "E1006", Usage, "a Starlark helper failed";
    STARLARK_LIMIT = "E1007", Usage, "a Starlark helper reached a limit";
    LIMIT = "E1008", Usage, "the configuration is larger than the limit";
    NO_SUCH_VALUE = "E1009", Usage, "the configuration has no such value";
}
