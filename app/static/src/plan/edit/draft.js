// The draft as the server has it, and the way to change it: small operations on the revision that was seen.

export class Draft {
  #facts;
  #csrf;
  #turn = Promise.resolve();

  constructor(facts, csrf) {
    this.#facts = facts;
    this.#csrf = csrf;
    this.revision = 0;
    this.about = {};
    this.content = { events: {} };
  }

  get events() {
    return this.content.events;
  }

  load() {
    return this.#inTurn(() => this.#load());
  }

  // Whoever types quickly does not overtake themselves: each change sees the revision that the one before led to.
  #inTurn(work) {
    const done = this.#turn.then(work);
    this.#turn = done;
    return done;
  }

  async #load() {
    const answer = await this.#ask("GET", this.#facts.draftUrl);
    if (answer.ok) {
      const { content, ...about } = answer.body;
      this.content = content;
      this.#note(about);
    }
    return answer;
  }

  // All of them or none; what the server took is done here, too.
  change(operations) {
    return this.#inTurn(() => this.#change(operations));
  }

  async #change(operations) {
    const body = { revision: this.revision, operations };
    const answer = await this.#ask("POST", this.#facts.draftUrl, body);
    if (answer.ok) {
      for (const operation of operations) DOING[operation.op](this.content, operation);
      this.#note(answer.body);
    }
    return answer;
  }

  // What the server would say of these; nothing is kept.
  rehearse(operations) {
    return this.#inTurn(() => this.#ask("POST", this.#facts.draftUrl, { revision: this.revision, operations, dry_run: true }));
  }

  undo() {
    return this.#inTurn(async () => {
      const answer = await this.#ask("POST", this.#facts.undoUrl, { revision: this.revision });
      return answer.ok ? this.#load() : answer;
    });
  }

  tryOut(event) {
    return this.#ask("POST", this.#facts.tryUrl, { event });
  }

  #note(about) {
    this.about = about;
    this.revision = about.revision;
  }

  async #ask(method, url, body) {
    const headers = { Accept: "application/json", "Content-Type": "application/json", "X-CSRF-Token": this.#csrf };
    try {
      const answer = await fetch(url, { method, headers, body: body && JSON.stringify(body) });
      return { ok: answer.ok, status: answer.status, body: await answer.json() };
    } catch {
      return { ok: false, status: 0, body: { message: "The server could not be reached. Nothing was changed. Try again." } };
    }
  }
}

function put(object, members) {
  for (const [member, value] of Object.entries(members)) {
    if (value === null) delete object[member];
    else object[member] = value;
  }
}

const ruleAt = (content, { event, path }) => content.events[event].rules.findIndex((rule) => rule.path === path);

// As app/plans/operations.py does them.
const DOING = {
  add_event(content, { event, definition = { rules: [] } }) {
    content.events[event] = structuredClone(definition);
  },
  delete_event(content, { event }) {
    delete content.events[event];
  },
  rename_event(content, { event, to }) {
    const renamed = Object.entries(content.events).map(([name, definition]) => [name === event ? to : name, definition]);
    content.events = Object.fromEntries(renamed);
  },
  set_event(content, { event, set }) {
    const definition = content.events[event];
    put(definition, structuredClone(set));
    if (set.schema !== undefined && set.schema !== null) {
      for (const member of ["rules", "conditions", "unplanned_properties"]) delete definition[member];
    } else if (set.rules) {
      for (const member of ["schema", "bundle"]) delete definition[member];
    }
  },
  set_plan(content, { set }) {
    put(content, structuredClone(set));
  },
  add_rule(content, { event, rule }) {
    const definition = content.events[event];
    (definition.rules ??= []).push(structuredClone(rule));
  },
  delete_rule(content, operation) {
    content.events[operation.event].rules.splice(ruleAt(content, operation), 1);
  },
  set_rule(content, operation) {
    put(content.events[operation.event].rules[ruleAt(content, operation)], structuredClone(operation.set));
  },
};
