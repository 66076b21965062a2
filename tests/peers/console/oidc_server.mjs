// An OpenID provider with one client and a few people; a person signs in by name, without a password.
import { Provider } from 'oidc-provider';

const [port, redirectUri] = process.argv.slice(2);
const people = { clara: ['irt-doctors'], olga: ['irt-admins'], nobody: ['kitchen'] };
const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [{
    client_id: 'console', client_secret: 'a-secret-of-the-tests-that-is-long-enough', redirect_uris: [redirectUri],
    response_types: ['code'], grant_types: ['authorization_code'],
  }],
  claims: { openid: ['sub'], profile: ['preferred_username', 'roles'] },
  conformIdTokenClaims: false,
  pkce: { required: () => true, methods: ['S256'] },
  features: { devInteractions: { enabled: true } },
  cookies: { keys: ['of the tests'] },
  findAccount: (ctx, id) => ({
    accountId: id,
    claims: async () => ({ sub: id, preferred_username: id, roles: people[id] || [] }),
  }),
});
provider.listen(Number(port), '127.0.0.1', () => console.log('listening'));
