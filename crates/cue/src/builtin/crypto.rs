//! Packages `crypto/...`.

use hmac::{KeyInit, Mac, SimpleHmac};
use sha2::Digest;

use super::{Call, Fail, Outcome};
use crate::value::Value;

fn digest<D: Digest>(c: &Call<'_>) -> Outcome {
    Ok(Value::Bytes(D::digest(c.bytes(0)?).to_vec().into()))
}

pub(super) fn md5(c: &mut Call<'_>) -> Outcome {
    digest::<md5::Md5>(c)
}

pub(super) fn sha1(c: &mut Call<'_>) -> Outcome {
    digest::<sha1::Sha1>(c)
}

pub(super) fn sha224(c: &mut Call<'_>) -> Outcome {
    digest::<sha2::Sha224>(c)
}

pub(super) fn sha256(c: &mut Call<'_>) -> Outcome {
    digest::<sha2::Sha256>(c)
}

pub(super) fn sha384(c: &mut Call<'_>) -> Outcome {
    digest::<sha2::Sha384>(c)
}

pub(super) fn sha512(c: &mut Call<'_>) -> Outcome {
    digest::<sha2::Sha512>(c)
}

pub(super) fn sha512_224(c: &mut Call<'_>) -> Outcome {
    digest::<sha2::Sha512_224>(c)
}

pub(super) fn sha512_256(c: &mut Call<'_>) -> Outcome {
    digest::<sha2::Sha512_256>(c)
}

fn mac<M: Mac + KeyInit>(key: &[u8], data: &[u8]) -> Outcome {
    let mut m = <M as KeyInit>::new_from_slice(key).map_err(|e| Fail::Eval(e.to_string()))?;
    m.update(data);
    Ok(Value::Bytes(m.finalize().into_bytes().to_vec().into()))
}

pub(super) fn hmac_sign(c: &mut Call<'_>) -> Outcome {
    let (hash, key, data) = (c.text(0)?, c.bytes(1)?, c.bytes(2)?);
    match hash.as_str() {
        "MD5" => mac::<SimpleHmac<md5::Md5>>(&key, &data),
        "SHA1" => mac::<SimpleHmac<sha1::Sha1>>(&key, &data),
        "SHA224" => mac::<SimpleHmac<sha2::Sha224>>(&key, &data),
        "SHA256" => mac::<SimpleHmac<sha2::Sha256>>(&key, &data),
        "SHA384" => mac::<SimpleHmac<sha2::Sha384>>(&key, &data),
        "SHA512" => mac::<SimpleHmac<sha2::Sha512>>(&key, &data),
        "SHA512_224" => mac::<SimpleHmac<sha2::Sha512_224>>(&key, &data),
        "SHA512_256" => mac::<SimpleHmac<sha2::Sha512_256>>(&key, &data),
        other => Err(Fail::Eval(format!("unsupported hash function {other:?}"))),
    }
}

/// Whether `Valid(publicKey, message, signature)`. A key or signature that is none is not valid.
pub(super) fn ed25519_valid(c: &mut Call<'_>) -> Outcome {
    use ed25519_dalek::{Signature, Verifier, VerifyingKey};
    let (key, message, signature) = (c.bytes(0)?, c.bytes(1)?, c.bytes(2)?);
    let key: [u8; 32] = key.as_slice().try_into().map_err(|_| "a public key has 32 bytes")?;
    let (Ok(key), Ok(signature)) = (VerifyingKey::from_bytes(&key), Signature::from_slice(&signature)) else {
        return Ok(Value::Bool(false));
    };
    Ok(Value::Bool(key.verify(&message, &signature).is_ok()))
}
