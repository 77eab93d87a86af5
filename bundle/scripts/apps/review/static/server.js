// Talks to the server. The token stands behind # in the address, and goes along as a header.

const TOKEN = location.hash.slice(1);

export class Refused extends Error {
  constructor(detail, answer = {}) {
    super(detail);
    this.changed = Boolean(answer.changed);
    this.superseded = Boolean(answer.superseded);
  }
}

async function ask(path, request = {}) {
  let answer;
  try {
    answer = await fetch(`/api/${path}`, { ...request, headers: { "X-OsteoXR-Token": TOKEN, ...request.headers } });
  } catch {
    throw new Refused("The server does not answer. What the page calls saved is safe; start osteoxr review again.");
  }
  if (!answer.ok) {
    const told = await answer.json().catch(() => ({ detail: `The server answered ${answer.status}.` }));
    throw new Refused(told.detail, told);
  }
  return answer;
}

export const get = async (path) => (await ask(path)).json();
export const bytes = async (path) => (await ask(path)).arrayBuffer();
export const post = async (path, body) =>
  (await ask(path, { method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json" } })).json();
