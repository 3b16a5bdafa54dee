//! E11: providers.

codes! {
    BAD_SCHEMA = "E1101", Failed, "a provider's schema cannot be used";
    BAD_ANSWER = "E1102", Failed, "a provider's answer is not what it promised";
    NOT_DECLARED = "E1103", Denied, "a provider asked for something its type does not declare";
    CHANGE_FAILED = "E1104", Failed, "a provider could not make a change";
    MISMATCH = "E1105", Unverified, "a provider does not keep its word";
    BAD_MANIFEST = "E1106", Usage, "a provider's manifest cannot be used";
    NO_PROVIDER = "E1107", Usage, "no provider is what is asked for";
    NOT_GRANTED = "E1108", Denied, "a provider wants a capability that its manifest does not grant";
}
