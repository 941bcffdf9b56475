// A client of the Runtime API and no more: aws-lambda-ric is built from source and wants cmake, and
// this loop costs less, so that the comparison errs on Node's side.

import http from 'node:http';
import { handler } from './handler.mjs';

const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(':');
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });

function call(method, path, body) {
  const headers = body === undefined ? {} : { 'Content-Length': Buffer.byteLength(body) };
  return new Promise((resolve, reject) => {
    const request = http.request({ host, port, agent, method, path, headers }, (response) => {
      const chunks = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('end', () => resolve([response.headers, Buffer.concat(chunks)]));
    });
    request.on('error', reject);
    request.end(body);
  });
}

for (;;) {
  const [headers, event] = await call('GET', '/2018-06-01/runtime/invocation/next');
  const id = headers['lambda-runtime-aws-request-id'];
  const path = `/2018-06-01/runtime/invocation/${id}`;
  try {
    const answer = await handler(JSON.parse(event.toString('utf8')));
    await call('POST', `${path}/response`, JSON.stringify(answer));
  } catch (error) {
    await call('POST', `${path}/error`, JSON.stringify({ errorType: error.name, errorMessage: error.message }));
  }
}
