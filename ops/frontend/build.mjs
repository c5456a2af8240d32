// Packs the pages' modules, styles and fonts for the browser: node build.mjs <static> <node_modules> <target>.
// One file per page and per part that is fetched later, small, named by what is in it (so that browsers keep it
// for ever), with its gzip and brotli beside it. `manifest.json` says which file stands for which name.
import { createRequire } from "node:module";
import { readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const PAGES = ["appearance", "desk", "frame", "instrument_page", "landing", "orders_page"];
const BROWSERS = ["chrome123", "firefox121", "safari17.5"]; // the first with light-dark(), nesting and import maps
const DAY_MS = 86_400_000;
const [from, libraries, to] = process.argv.slice(2).map((folder) => path.resolve(folder));
const esbuild = createRequire(path.join(libraries, "/"))("esbuild");

// The styles name fonts as the server does: below npm/.
const fonts = {
  name: "fonts",
  setup: (build) => build.onResolve({ filter: /\/npm\/.*\.woff2$/ }, ({ path: url }) => ({ path: path.join(libraries, decodeURIComponent(url.split("/npm/")[1])) })),
};

const { metafile } = await esbuild.build({
  absWorkingDir: from,
  entryPoints: [...PAGES.map((name) => `js/${name}.js`), "css/site.css"],
  outdir: to,
  entryNames: "[name]-[hash]",
  chunkNames: "[name]-[hash]",
  assetNames: "[name]-[hash]",
  bundle: true,
  splitting: true,
  format: "esm",
  minify: true,
  target: BROWSERS,
  nodePaths: [libraries],
  plugins: [fonts],
  loader: { ".woff2": "file" },
  legalComments: "linked",
  metafile: true,
});

// What a page needs before it can begin: its imports and theirs, without what it fetches later.
function needs(output, found = new Set()) {
  for (const { path: file, kind } of metafile.outputs[output].imports) {
    if (kind !== "import-statement" || found.has(file)) continue;
    found.add(file);
    needs(file, found);
  }
  return [...found];
}

const manifest = {};
for (const [output, { entryPoint, inputs }] of Object.entries(metafile.outputs)) {
  const [only] = Object.keys(inputs);
  const font = only?.endsWith(".woff2") && `npm/${path.relative(libraries, path.resolve(from, only))}`;
  const name = entryPoint ?? font;
  if (name) manifest[name] = { file: path.basename(output), needs: needs(output).map((file) => path.basename(file)) };
}

const made = new Set(Object.keys(metafile.outputs).map((output) => path.basename(output)));
for (const name of [...made].filter((one) => /\.(js|css)$/.test(one))) {
  const plain = readFileSync(path.join(to, name));
  put(`${name}.gz`, gzipSync(plain, { level: 9 }));
  put(`${name}.br`, brotliCompressSync(plain, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }));
}
put("manifest.json", JSON.stringify(manifest, null, 1));

function put(name, what) {
  made.add(name);
  writeFileSync(path.join(to, name), what);
}

// A server that began with the former files still sends them.
for (const name of readdirSync(to)) {
  const file = path.join(to, name);
  if (!made.has(name) && Date.now() - statSync(file).mtimeMs > DAY_MS) rmSync(file);
}
