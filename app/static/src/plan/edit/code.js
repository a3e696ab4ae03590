// The JSON editor: CodeMirror, loaded when first opened. In a shadow root, where its style sheets need no inline style.

import { json, jsonLanguage, jsonParseLinter } from "@codemirror/lang-json";
import { forceLinting, lintGutter, linter } from "@codemirror/lint";
import { EditorView } from "@codemirror/view";
import { basicSetup } from "codemirror";

const LINT_MS = 500;

// check(value): resolves to problems [{path, message}] of a text that is JSON. told(list): every problem with its line.
export function openCode(host, text, label, { check, told }) {
  const root = host.shadowRoot ?? host.attachShadow({ mode: "open" });
  root.replaceChildren();
  const isSyntax = jsonParseLinter();

  async function lint(view) {
    const shape = isSyntax(view);
    const found = shape.length || !view.state.doc.length ? shape : await semantics(view);
    told(found.map(({ from, message }) => ({ line: view.state.doc.lineAt(from).number, message })));
    return found;
  }

  async function semantics(view) {
    const text = view.state.doc.toString();
    const problems = await check(JSON.parse(text));
    return problems.map(({ path, message }) => ({ ...placeOf(text, path), severity: "error", message }));
  }

  const view = new EditorView({
    doc: text,
    parent: root,
    root,
    extensions: [
      basicSetup,
      json(),
      lintGutter(),
      linter(lint, { delay: LINT_MS }),
      EditorView.lineWrapping,
      EditorView.contentAttributes.of({ "aria-label": label }),
      EditorView.theme(LOOK),
    ],
  });
  return { text: () => view.state.doc.toString(), focus: () => view.focus(), lint: () => forceLinting(view) };
}

// The colours are the page's: custom properties reach into a shadow root.
const LOOK = {
  "&": { color: "var(--ink)", backgroundColor: "var(--surface)", fontSize: "0.8125rem", maxHeight: "50vh" },
  "&.cm-focused": { outline: "2px solid var(--tblr-primary)" },
  ".cm-scroller": { fontFamily: "var(--tblr-font-monospace)", overflow: "auto" },
  ".cm-content": { caretColor: "var(--ink)" },
  ".cm-cursor": { borderLeftColor: "var(--ink)" },
  ".cm-gutters": { color: "var(--quiet)", backgroundColor: "var(--raised)", border: "none" },
  ".cm-activeLine, .cm-activeLineGutter": { backgroundColor: "var(--row-hover)" },
  ".cm-line .ͼe, .cm-line .ͼd, .cm-line .ͼc": { color: "var(--json-text)" },
  ".cm-tooltip": { color: "var(--ink)", backgroundColor: "var(--surface)", border: "1px solid var(--line)" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": {
    backgroundColor: "var(--row-open)",
  },
};

// Where a problem's path points to: a JSON pointer, or a rule's own path. Its first line, where that cannot be said.
export function placeOf(text, path) {
  const tree = jsonLanguage.parser.parse(text);
  const name = (node) => JSON.parse(text.slice(node.from, node.to));
  let found = tree.topNode.firstChild;
  if (path?.startsWith("/")) {
    for (const part of path.slice(1).split("/").map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~"))) {
      const next = found && below(found, part, name);
      if (!next) break;
      found = next;
    }
  } else if (path) {
    found = valueOf(tree, path, text) ?? found;
  }
  const from = found?.from ?? 0;
  return { from, to: Math.min(found?.to ?? 0, lineEnd(text, from)) };
}

function below(node, part, name) {
  if (node.name === "Array") {
    const items = [];
    for (let child = node.firstChild; child; child = child.nextSibling) if (!/[[\],]/.test(child.name)) items.push(child);
    return items[Number(part)];
  }
  for (let child = node.firstChild; child; child = child.nextSibling) {
    if (child.name === "Property" && name(child.getChild("PropertyName")) === part) return child.lastChild;
  }
  return null;
}

// The value `"path": "total"` of the rule that is meant.
function valueOf(tree, path, text) {
  let found = null;
  tree.iterate({
    enter(node) {
      if (!found && node.name === "String" && text.slice(node.from, node.to) === JSON.stringify(path)) found = node.node;
    },
  });
  return found;
}

function lineEnd(text, from) {
  const end = text.indexOf("\n", from);
  return end === -1 ? text.length : end;
}
