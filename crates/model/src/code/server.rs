//! E12: the server and who may use it.

codes! {
    BAD_CONFIG = "E1201", Usage, "the server's configuration is wrong";
    NOT_SIGNED_IN = "E1202", Failed, "you are not signed in";
    FORBIDDEN = "E1203", Denied, "you may not do this here";
    TOO_MANY_LOGINS = "E1204", Failed, "too many failed attempts to sign in";
    LINK_SPENT = "E1205", Failed, "the link is used, has run out or was never made";
    FORGED = "E1206", Failed, "the request did not come from a page of this server";
    BAD_ACCOUNT = "E1207", Usage, "no account can have this name";
    ACCOUNT_EXISTS = "E1208", Failed, "there is an account of that name already";
    LAST_ADMINISTRATOR = "E1209", Failed, "the last administrator has to stay one";
    TOO_WIDE = "E1210", Failed, "a token cannot be for more than its maker may do";
    PROVIDER_FAILED = "E1211", Failed, "the identity provider did not answer as it should";
    PROVIDER_REFUSED = "E1212", Failed, "what the identity provider said is not accepted";
    WRONG_PERSON = "E1213", Failed, "the account is somebody else's";
    IDENTITY_LIMIT = "E1214", Failed, "there are as many of these as there may be";
    BAD_TOKEN_REQUEST = "E1215", Usage, "no such token can be made";
    DISABLED = "E1216", Failed, "the account is disabled";
    BAD_REQUEST = "E1220", Usage, "the request is not well-formed";
    BUSY = "E1221", Failed, "the server has too much to do";
    NO_METHOD = "E1222", Usage, "the path knows no such method";
    NO_VERSION = "E1223", Usage, "the server does not speak that version of the interface";
    KEY_REUSED = "E1224", Failed, "the idempotency key belongs to another request";
    CANNOT_SERVE = "E1225", Failed, "the server cannot serve";
    BAD_CERTIFICATE = "E1226", Usage, "the certificate or its key cannot be used";
    UNENCRYPTED = "E1227", Usage, "credentials would travel unencrypted";
    UNREACHABLE = "E1228", Failed, "the server cannot be reached";
    NOT_A_SERVER = "E1229", Failed, "what answered is not an Aedile server";
    BAD_ADDRESS = "E1240", Usage, "this is no address or fingerprint of a server";
    BAD_TOKEN = "E1241", Usage, "this is no API token";
    UNTRUSTED = "E1242", Failed, "nobody vouches for the server's certificate";
    WRONG_CERTIFICATE = "E1243", Failed, "the server's certificate is not the one that was agreed to";
    NOT_REMOTE = "E1244", Usage, "this works on what is here, not on a server";
    BAD_RECORD = "E1245", Unverified, "the server sent a record that is not what it says it is";
    BAD_LOGINS = "E1246", Usage, "the file of logins cannot be used";
    WHICH_PROJECT = "E1247", Usage, "the server has no such project, or more than one";
}
