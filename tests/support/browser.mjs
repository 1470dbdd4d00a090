// Looks at the pages in a real browser: `node tests/support/browser.mjs URL [FOLDER FOR SCREENSHOTS]`.
//
// With WASL_TOKEN it logs in first. Needs Debian's chromium (or CHROMIUM) and npm's playwright-core (in the folder
// WASL_NODE_MODULES, or where node finds it); with npm's axe-core beside it, each page is judged by that too. Exit code: 0 all is well, 1 it is not, 77 something to run with is missing.

import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const MISSING = 77;
const [url, folder] = process.argv.slice(2);
if (!url) {
  console.error("usage: browser.mjs URL [FOLDER]");
  process.exit(2);
}
const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
if (!existsSync(executablePath)) {
  console.log(`no browser at ${executablePath}: apt-get install chromium`);
  process.exit(MISSING);
}
let chromium;
const modules = process.env.WASL_NODE_MODULES;
const require = createRequire(modules ? join(modules, "..", "browser.cjs") : import.meta.url);
try {
  ({ chromium } = require("playwright-core"));
} catch {
  console.log("no playwright-core: npm install --prefix .cache/npm playwright-core");
  process.exit(MISSING);
}
let axe = null;
try {
  axe = readFileSync(require.resolve("axe-core"), "utf8");
} catch {
  console.log("- skipped: axe: no axe-core: npm install --prefix .cache/npm axe-core");
}
if (folder) mkdirSync(folder, { recursive: true });

const origin = new URL(url).origin;
const failures = [];
let checks = 0;
function check(good, what) {
  checks += 1;
  if (!good) failures.push(what);
  console.log(`${good ? "ok" : "FAILED"}: ${what}`);
}

// Opens the page with these options and tells what went wrong behind the scenes.
async function visit(browser, name, options, look, before) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 1000 }, ...options });
  const page = await context.newPage();
  // A machine that builds and tests at the same time is slow; a page that never comes is still found.
  page.setDefaultTimeout(60_000);
  page.setDefaultNavigationTimeout(120_000);
  const told = [];
  const foreign = [];
  page.on("console", (line) => { if (["error", "warning"].includes(line.type())) told.push(line.text()); });
  page.on("pageerror", (error) => told.push(String(error)));
  page.on("request", (request) => { if (new URL(request.url()).origin !== origin) foreign.push(request.url()); });
  if (process.env.WASL_TOKEN) await logIn(page);
  await before?.(page);
  await look(page, (path) => page.goto(new URL(path, origin).href, { waitUntil: "load" }));
  if (folder) await page.screenshot({ path: join(folder, `${name}.png`), fullPage: true });
  check(told.length === 0, `${name}: the console is silent ${told.join(" | ")}`);
  check(foreign.length === 0, `${name}: nothing is asked of another address ${foreign.join(" ")}`);
  await context.close();
}

async function logIn(page) {
  await page.goto(new URL("/login", origin).href);
  await page.fill("#token", process.env.WASL_TOKEN);
  await page.click("main button[type=submit]");
}

const has = (page, selector) => page.locator(selector).count().then((count) => count > 0);
const overflows = (page) => page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth);

async function checkLanguage(browser, lang, dir) {
  await visit(browser, `${lang}-wide`, {}, async (page, go) => {
    await go(`/?lang=${lang}`);
    const html = page.locator("html");
    check((await html.getAttribute("dir")) === dir, `${lang}: dir is ${dir}`);
    check((await html.getAttribute("lang")) === lang, `${lang}: lang is ${lang}`);
    check((await page.locator("[data-panel]").count()) >= 6, `${lang}: the panels are there`);
    check(await has(page, "#verdict p span"), `${lang}: the sentence is there`);
    await page.waitForSelector("html.live", { timeout: 60_000 });
    const first = await page.locator("#clock").textContent();
    await page.waitForFunction((before) => document.getElementById("clock").textContent !== before, first, {
      timeout: 60_000,
    }).catch(() => {});
    check((await page.title()).match(/^[●▲■]/u), `${lang}: the title carries the sign`);
    check(!(await overflows(page)), `${lang}: nothing hangs over the edge`);
    const sides = await page.locator("#clock").evaluate((clock) => getComputedStyle(clock).direction);
    check(sides === "ltr", `${lang}: the clock runs from the usual side`);
  });
  for (const [name, options] of [
    ["narrow", { viewport: { width: 320, height: 700 } }],
    ["dark", { colorScheme: "dark", viewport: { width: 1920, height: 1080 } }],
    ["contrast", { forcedColors: "active" }],
    ["print", {}],
  ]) {
    await visit(browser, `${lang}-${name}`, options, async (page, go) => {
      if (name === "print") await page.emulateMedia({ media: "print" });
      await go(`/?lang=${lang}`);
      check(!(await overflows(page)), `${lang}-${name}: nothing hangs over the edge`);
    });
  }
  await visit(browser, `${lang}-without-script`, { javaScriptEnabled: false }, async (page, go) => {
    await go(`/?lang=${lang}`);
    check(await has(page, "#verdict p span"), `${lang}: the sentence is there without script`);
    check(await has(page, 'meta[http-equiv="refresh"]'), `${lang}: it renews itself without script`);
    check(!(await page.locator("#pause").isVisible()), `${lang}: no control that needs the script`);
  });
}

// The pages beside the overview, as the stand-in has them.
const message = process.env.WASL_MESSAGE;
const pages = {
  wall: "/wall",
  deliveries: "/deliveries",
  outages: "/outages",
  operate: "/operate",
  send: "/operate?act=send",
  maintenance: "/operate?act=maintenance",
  drill: "/operate?act=drill",
  gateway: "/gateways/whatsapp-main",
  ...(message ? { message: `/messages/${message}?text=shown`, delivery: `/messages/${message}?delivery=0` } : {}),
};

// Lets axe-core judge what is on the page: nothing serious may be found.
async function judge(page, name) {
  if (!axe) return;
  // The page forbids scripts of others, as it should; this one is put in from outside.
  await page.evaluate(`(() => { const module = undefined; ${axe}; })()`);
  const found = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  const serious = found.violations.filter(({ impact }) => ["serious", "critical"].includes(impact));
  const told = serious.map(({ id, nodes }) => `${id}: ${nodes.slice(0, 3).map((node) => node.html).join(" | ")}`);
  check(serious.length === 0, `${name}: axe finds nothing serious ${told.join("; ")}`);
}

async function checkPages(browser, lang, dir) {
  const between = (path) => (path.includes("?") ? "&" : "?");
  for (const [name, path] of Object.entries({ overview: "/", ...pages })) {
    const address = `${path}${between(path)}lang=${lang}`;
    for (const [size, options] of [
      ["wide", { viewport: { width: 1440, height: 1000 } }],
      ["narrow", { viewport: { width: 320, height: 700 } }],
      ["dark", { colorScheme: "dark", viewport: { width: 1920, height: 1080 } }],
      ["still", { javaScriptEnabled: false, viewport: { width: 1024, height: 768 } }],
    ]) {
      const told = `${lang}-${name}-${size}`;
      await visit(browser, told, options, async (page, go) => {
        await go(address);
        check((await page.locator("html").getAttribute("dir")) === dir, `${told}: dir is ${dir}`);
        check(await has(page, "#verdict p span"), `${told}: the sentence is there`);
        check(!(await overflows(page)), `${told}: nothing hangs over the edge`);
        if (name === "wall" && size === "dark") {
          const fits = await page.evaluate(() => document.documentElement.scrollHeight <= window.innerHeight);
          check(fits, `${told}: it fits one screen`);
        }
        if (size !== "still") await judge(page, told);
      });
    }
  }
}

// By keys alone and without script: a form, what it would do, the act, what became of it.
async function checkActs(browser) {
  await visit(browser, "act", { javaScriptEnabled: false }, async (page, go) => {
    await go("/operate?act=hold&lang=en");
    await page.locator("#gateway").focus();
    await page.keyboard.type("sig");
    await page.keyboard.press("Tab");
    await page.keyboard.type("a noisy line");
    await page.keyboard.press("Enter");
    await page.waitForSelector(".confirm");
    check((await page.locator(".effects").textContent()).includes("Signal"), "act: it says what it leaves");
    check((await page.locator(".confirm .facts").textContent()).includes("a noisy line"), "act: and why it is done");
    await page.locator("button.strong").focus();
    await page.keyboard.press("Enter");
    await page.waitForSelector(".done");
    check(page.url().endsWith("/operate?done=hold"), "act: it is done, and loading again does not repeat it");
  });
}

async function checkSilence(browser) {
  const silent = async (page) => page.route(/\/feed\?/, () => {});
  await visit(browser, "stale", {}, async (page, go) => {
    await go("/?lang=en");
    await page.waitForSelector("html.stale", { timeout: 60_000 });
    check((await page.locator("#live-word").textContent()).includes("STALE"), "stale: it says since when");
    check((await page.title()).startsWith("?"), "stale: the title says so");
    check((await page.locator("#icon").getAttribute("href")).includes("stale"), "stale: the icon says so");
  }, silent);
}

async function checkKeyboard(browser) {
  await visit(browser, "keyboard", {}, async (page, go) => {
    await go("/?lang=en");
    await page.keyboard.press("Tab");
    check(await page.evaluate(() => document.activeElement.classList.contains("skip")), "keyboard: the skip link is first");
    await page.keyboard.press("Enter");
    check(await page.evaluate(() => document.activeElement.id === "main"), "keyboard: it skips to the content");
    await page.click("#pause");
    check((await page.locator("#pause").getAttribute("aria-pressed")) === "true", "keyboard: it can be paused");
  });
}

const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
try {
  await checkLanguage(browser, "en", "ltr");
  await checkLanguage(browser, "ar", "rtl");
  await checkPages(browser, "en", "ltr");
  await checkPages(browser, "ar", "rtl");
  await checkActs(browser);
  await checkSilence(browser);
  await checkKeyboard(browser);
} catch (error) {
  check(false, String(error));
} finally {
  await browser.close();
}
console.log(`${checks - failures.length} of ${checks} hold`);
process.exit(failures.length === 0 ? 0 : 1);
