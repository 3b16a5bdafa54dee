// A provider of identities on a free port of this machine, for the tests of signing in.
//
// The provider is the package `oidc-provider` as it is; what it is given here is a client, people and their groups. Its own
// development pages ask who somebody is: whatever name is typed is who they are, any password will do.
//
// Arguments: the address that the client is sent back to. Prints one line of JSON: where the provider is. Ends when its input does.

import { createServer } from 'node:http';
import Provider from 'oidc-provider';

// one line is all that is said here
console.info = console.error;

const [redirect] = process.argv.slice(2);

const people = {
  maria: { preferred_username: 'maria', email: 'maria@example.org', email_verified: true, groups: ['sre', 'on call'] },
  omar: { preferred_username: 'omar', email: 'omar@example.org', email_verified: false, groups: [] },
  // somebody else who was given a name that was free
  impostor: { preferred_username: 'maria', groups: ['sre'] },
  strange: { preferred_username: '../etc/passwd', groups: [] },
  nameless: { groups: ['sre'] },
};

const server = createServer();
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    clients: [
      {
        client_id: 'aedile',
        client_secret: 'the client\'s secret, planted: canary-5f2a',
        redirect_uris: [redirect],
        grant_types: ['authorization_code'],
        response_types: ['code'],
      },
      {
        client_id: 'public',
        token_endpoint_auth_method: 'none',
        redirect_uris: [redirect],
        grant_types: ['authorization_code'],
        response_types: ['code'],
      },
    ],
    pkce: { required: () => true },
    scopes: ['openid', 'profile', 'email'],
    claims: { openid: ['sub'], profile: ['preferred_username', 'groups'], email: ['email', 'email_verified'] },
    // what a client asks for by scope is told at the userinfo endpoint, as most providers do
    conformIdTokenClaims: true,
    cookies: { keys: ['only for tests'] },
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, ...people[id] }) }),
  });
  server.on('request', provider.callback());
  process.stdout.write(`${JSON.stringify({ issuer })}\n`);
});

process.stdin.resume();
process.stdin.on('end', () => process.exit(0));
