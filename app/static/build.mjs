// Builds what the browser gets: one script per page, one style sheet, one icon sprite, all with hashed names.
// `manifest.json` says which name is which; app/dashboard/assets.py reads it.

import { createHash } from "node:crypto";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

import { build } from "esbuild";
import { PurgeCSS } from "purgecss";

import { ICONS } from "./src/icons.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const source = join(here, "src");
const output = join(here, "build");
const iconFolder = join(here, "..", "..", "node_modules", "@tabler", "icons", "icons");

const shared = {
  bundle: true,
  minify: true,
  metafile: true,
  sourcemap: false,
  outdir: output,
  entryNames: "[name]-[hash]",
  chunkNames: "part-[hash]",
  assetNames: "[name]-[hash]",
  target: ["es2022", "chrome123", "firefox120", "safari17.5"], // the first with light-dark(), which the UI kit uses
  logLevel: "warning",
};

// One entry per page: a page loads `shell` and its own. What two pages share becomes a part of its own.
const pages = {
  shell: join(source, "shell.js"),
  live: join(source, "live", "page.js"),
  event: join(source, "event", "page.js"),
  plan: join(source, "plan", "page.js"),
  plan_edit: join(source, "plan", "edit", "page.js"),
  insight: join(source, "insight", "page.js"),
  study: join(source, "study", "page.js"),
  history: join(source, "history", "page.js"),
  passkeys: join(source, "passkeys", "page.js"),
  door: join(source, "door", "page.js"),
};

await rm(output, { recursive: true, force: true });
await mkdir(output, { recursive: true });

const results = [
  await build({ ...shared, entryPoints: pages, format: "esm", splitting: true }),
  // Runs before the first paint, so it is a plain script and not a module, which would wait for the document.
  await build({ ...shared, entryPoints: { theme: join(source, "theme.js") }, format: "iife" }),
  await build({
    ...shared,
    entryPoints: { app: join(source, "styles", "app.css") },
    loader: { ".woff2": "file" },
    plugins: [{ name: "kit-in-use", setup: (building) => building.onLoad({ filter: /tabler\.css$/ }, keepUsed) }],
  }),
];

const manifest = {
  "icons.svg": await writeHashed("icons.svg", await makeSprite()),
  "favicon.svg": await writeHashed("favicon.svg", await readFile(join(source, "favicon.svg"), "utf8")),
};
for (const { metafile } of results) {
  for (const [file, made] of Object.entries(metafile.outputs)) {
    // What is imported when it is needed is an entry to esbuild; no page names it.
    if (made.entryPoint && !/part-\w+\.js$/.test(file)) manifest[entryName(file)] = relative(output, join(process.cwd(), file));
  }
}
await writeFile(join(output, "manifest.json"), `${JSON.stringify(manifest, null, 2)}\n`);

// Of the UI kit's 5,000 rules, those whose words stand in a template or a script: a tenth of the bytes.
async function keepUsed({ path }) {
  const content = ["templates/**/*.html", "static/src/**/*.js"].map((files) => join(here, "..", files));
  const [{ css }] = await new PurgeCSS().purge({ content, css: [path] });
  // Wherever an element is added, `legend + *` has the browser restyle all that follows: 300 ms in a list of 500 rows.
  return { contents: css.replace(/^legend \+ \* \{[^}]*\}/m, ""), loader: "css" };
}

function entryName(file) {
  return file.replace(/^.*\//, "").replace(/-[A-Z0-9]{8}(\.\w+)$/, "$1");
}

async function writeHashed(name, content) {
  const hash = createHash("sha256").update(content).digest("hex").slice(0, 8);
  const hashed = name.replace(".", `-${hash}.`);
  await writeFile(join(output, hashed), content);
  return hashed;
}

// One request for all icons; `<use href="icons.svg#copy">` picks one. Stroke and size come from the style sheet.
async function makeSprite() {
  const symbols = await Promise.all(ICONS.map(readSymbol));
  return `<svg xmlns="http://www.w3.org/2000/svg">${symbols.join("")}</svg>\n`;
}

async function readSymbol(name) {
  const svg = await readFile(join(iconFolder, "outline", `${name}.svg`), "utf8");
  const body = svg.slice(svg.indexOf(">", svg.indexOf("<svg")) + 1, svg.lastIndexOf("</svg>")).trim();
  const paint = 'fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" stroke-linejoin="round"';
  return `<symbol id="${name}" viewBox="0 0 24 24" ${paint}>${body.replace(/\s*\n\s*/g, "")}</symbol>`;
}
