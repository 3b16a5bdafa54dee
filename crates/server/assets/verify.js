// Verifies a record in the browser, from nothing but the bytes on the page: leaf, path and root as RFC 9162 says, the
// checkpoint as C2SP tlog-checkpoint, its signature as C2SP signed-note. The server is not asked.
(() => {
  "use strict";

  const $ = (selector) => document.querySelector(selector);
  const utf8 = new TextEncoder();
  const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  const plain = (digest) => digest.trim().replace(/^sha256:/, "");
  const unhex = (text) => {
    const digits = plain(text);
    if (!/^([0-9a-f]{2})*$/.test(digits)) throw new Error(`${text} is not hexadecimal`);
    return Uint8Array.from(digits.match(/../g) || [], (pair) => parseInt(pair, 16));
  };
  const base64 = (text) => Uint8Array.from(atob(text.trim()), (char) => char.charCodeAt(0));
  const join = (...parts) => {
    const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of parts) { out.set(part, at); at += part.length; }
    return out;
  };
  const sha256 = async (bytes) => new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  const leafHash = (bytes) => sha256(join(new Uint8Array([0]), bytes));
  const innerHash = (left, right) => sha256(join(new Uint8Array([1]), left, right));

  // RFC 9162, section 2.1.3.2. Numbers of records are far below 2^53.
  async function rootFrom(leaf, index, size, path) {
    if (!(index >= 0 && index < size)) throw new Error("the index is outside of the tree");
    let [at, last, hash] = [index, size - 1, leaf];
    for (const sibling of path) {
      if (last === 0) throw new Error("the path is longer than the tree is high");
      if (at % 2 === 1 || at === last) {
        hash = await innerHash(sibling, hash);
        while (at % 2 === 0 && at !== 0) { at = Math.floor(at / 2); last = Math.floor(last / 2); }
      } else {
        hash = await innerHash(hash, sibling);
      }
      at = Math.floor(at / 2);
      last = Math.floor(last / 2);
    }
    if (last !== 0) throw new Error("the path is shorter than the tree is high");
    return hash;
  }

  function parseNote(note) {
    const end = note.lastIndexOf("\n\n");
    if (end < 0) throw new Error("the checkpoint has no signatures");
    const text = note.slice(0, end + 1);
    const [origin, size, root] = text.split("\n");
    const signatures = note.slice(end + 2).split("\n").filter(Boolean).map((line) => {
      const parts = /^\u2014 (\S+) (\S+)$/.exec(line);
      if (!parts) throw new Error("a signature line is malformed");
      const bytes = base64(parts[2]);
      return { name: parts[1], id: hex(bytes.slice(0, 4)), signature: bytes.slice(4) };
    });
    return { text, origin, size: Number(size), root: hex(base64(root)), signatures };
  }

  async function parseVerifier(text) {
    const parts = /^([^+\s]+)\+([0-9a-f]{8})\+(\S+)$/.exec(text.trim());
    const bytes = parts && base64(parts[3]);
    if (!parts || bytes.length !== 33 || bytes[0] !== 1) throw new Error("a key is not an ed25519 verifier");
    const id = (await sha256(join(utf8.encode(`${parts[1]}\n`), bytes))).slice(0, 4);
    if (hex(id) !== parts[2]) throw new Error("a key's id does not belong to its bytes");
    return { name: parts[1], id: parts[2], key: bytes.slice(1) };
  }

  async function signedBy(note, verifiers) {
    for (const verifier of verifiers) {
      const own = note.signatures.filter((one) => one.name === verifier.name && one.id === verifier.id);
      for (const { signature } of own) {
        const key = await crypto.subtle.importKey("raw", verifier.key, { name: "Ed25519" }, false, ["verify"]);
        if (!(await crypto.subtle.verify({ name: "Ed25519" }, key, signature, utf8.encode(note.text)))) {
          throw new Error(`the signature of ${verifier.name} does not verify`);
        }
        return verifier;
      }
    }
    throw new Error("none of the journal's keys signed this checkpoint");
  }

  function mark(name, state, words) {
    const line = $(`[data-check="${name}"]`);
    line.className = state;
    line.querySelector(".found").textContent = words;
    line.querySelector(".result use").setAttribute("href", { good: "#i-check", bad: "#i-cross", warn: "#i-warn" }[state]);
  }

  class Fault extends Error {}

  async function check(name, what) {
    try {
      mark(name, "good", await what());
    } catch (error) {
      // a browser without ed25519 has not found anything wrong
      const unknown = error instanceof DOMException && (error.name === "NotSupportedError" || error.name === "SyntaxError");
      mark(name, unknown ? "warn" : "bad", unknown ? "This browser cannot check ed25519; the command below can." : error.message);
      if (!unknown) throw new Fault(error.message);
      return false;
    }
    return true;
  }

  const must = (fact, words) => { if (!fact) throw new Error(words); };

  async function verify() {
    const verdict = $("#verdict");
    const given = $("#material").dataset;
    if (!globalThis.crypto?.subtle) {
      verdict.className = "warn";
      verdict.textContent = "The browser only computes digests on pages that came over an encrypted connection. Use the command below.";
      return;
    }
    const bytes = utf8.encode($("#canonical").textContent);
    const path = Array.from(document.querySelectorAll("[data-hash]"), (one) => unhex(one.textContent));
    const [index, size] = [Number(given.index), Number(given.size)];
    let leaf, note;
    try {
      await check("leaf", async () => {
        leaf = await leafHash(bytes);
        must(hex(leaf) === plain(given.digest), `they have ${hex(leaf)}`);
        return hex(leaf);
      });
      await check("position", async () => {
        note = parseNote($("#note").textContent.replace(/^\n/, ""));
        const record = JSON.parse($("#canonical").textContent);
        must(record.id === given.position && Number(record.id) === index + 1, `they say they are record ${record.id}`);
        must(record.source === note.origin, `they belong to ${record.source}, the checkpoint to ${note.origin}`);
        return `record ${record.id} of ${record.source}`;
      });
      await check("path", async () => {
        const root = hex(await rootFrom(leaf, index, size, path));
        must(root === plain(given.root), `it leads to ${root}`);
        return `${path.length} ${path.length === 1 ? "hash" : "hashes"} to ${root}`;
      });
      await check("note", async () => {
        must(note.root === plain(given.root) && note.size === size, `it signs ${note.root} over ${note.size} records`);
        return `${note.size} records of ${note.origin}`;
      });
      const signed = await check("signature", async () => {
        const verifiers = await Promise.all(Array.from(document.querySelectorAll("[data-verifier]"), (one) => parseVerifier(one.textContent)));
        const by = await signedBy(note, verifiers);
        return `${by.name}, key ${by.id}`;
      });
      verdict.className = signed ? "good" : "warn";
      verdict.textContent = signed ? "Verified in this browser." : "The record is in the tree; the signature was not checked.";
    } catch (error) {
      verdict.className = "bad";
      verdict.textContent = error instanceof Fault ? `This does not verify: ${error.message}.` : "It could not be verified: the page is incomplete.";
    }
  }

  $("#verify")?.addEventListener("click", verify);
})();
