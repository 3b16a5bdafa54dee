//! E01: the journal and where it is stored.

codes! {
    BROKEN = "E0101", Unverified, "the journal does not verify";
    CONFLICT = "E0102", Failed, "somebody else wrote first";
    TRUNCATED = "E0103", Unverified, "the journal is shorter than its last checkpoint says";
    LOCKED = "E0104", Failed, "the store is locked by another process";
    FULL = "E0105", Failed, "the disk is full";
    CORRUPT = "E0106", Failed, "the store's file is damaged";
    NEWER = "E0107", Failed, "the store was written by a newer version of Aedile";
    UNREADABLE_RECORD = "E0108", Unverified, "a record cannot be decoded";
    RECORD_TOO_LARGE = "E0109", Failed, "a record is larger than the limit";
    BAD_KEY = "E0110", Usage, "a key file cannot be used";
    BAD_SIGNATURE = "E0111", Unverified, "a checkpoint's signature does not verify";
    STORE_IO = "E0112", Failed, "the store cannot be read or written";
    BAD_PROOF = "E0113", Unverified, "a proof does not verify";
    OVERLOADED = "E0114", Failed, "the journal's queue is full";
    BAD_APPEND = "E0115", Internal, "an append is not well-formed";
    HELD = "E0116", Failed, "a lease is held by somebody else";
    BAD_BLOB = "E0117", Unverified, "stored bytes do not match their digest";
    BAD_BACKUP = "E0118", Unverified, "the backup is not what it was when it was made";
    OTHER_BACKUP = "E0119", Usage, "the backup is of another environment";
    STATE_EXISTS = "E0120", Failed, "there is state here already";
    IN_USE = "E0121", Failed, "an engine is at work in the environment";
}
