//! E07: CUE.

codes! {
    SYNTAX = "E0701", Usage, "the CUE source does not parse";
    CONFLICT = "E0702", Failed, "values conflict";
    INCOMPLETE = "E0703", Failed, "a value is not concrete";
    CYCLE = "E0704", Failed, "a value depends on itself";
    REFERENCE = "E0705", Usage, "a reference or import cannot be resolved";
    LIMIT = "E0706", Failed, "the evaluation reached a limit";
}
