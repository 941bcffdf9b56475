// Every page in every language in a real browser (WCAG 2.2 AA, R-402).
//
// Starts the pages on a socket (functions/privacy-web/examples/pages.rs), and Debian's Chromium on
// them: by keyboard alone, 320 pixels wide, in light and dark, from right to left, without JavaScript,
// under axe, and under link previews and mail scanners. Fails, and says why, when there is no browser.

import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, "..", "..");
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const SCREENSHOTS = process.env.HEADGATE_SCREENSHOTS; // a folder, to look at or to put in docs/pages
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

let server, lines, site, browser;

/// What the pages' own tool answers.
async function asked(line) {
  server.stdin.write(`${line}\n`);
  return (await lines.next()).value;
}

/// The number of items and messages that are stored.
const stored = async () => Number(await asked(""));

function executable() {
  const candidates = [process.env.CHROMIUM, "/usr/bin/chromium", "/usr/bin/chromium-browser"];
  const found = candidates.find((path) => path && existsSync(path));
  assert.ok(found, "no browser: install Debian's package chromium, or name another in CHROMIUM");
  return found;
}

before(async () => {
  // Of the whole workspace, so that nothing is built twice that the tests have built.
  const build = ["build", "--quiet", "--locked", "--workspace", "--example", "pages"];
  execFileSync("cargo", build, { cwd: root, stdio: "inherit" });
  const target = process.env.CARGO_TARGET_DIR ?? join(root, "target");
  server = spawn(join(target, "debug", "examples", "pages"), { cwd: root, stdio: ["pipe", "pipe", "inherit"] });
  lines = createInterface({ input: server.stdout })[Symbol.asyncIterator]();
  const first = await lines.next();
  assert.ok(!first.done, "the pages did not start");
  site = JSON.parse(first.value);
  site.link = await asked("link");
  site.copy = await asked("copy");
  browser = await chromium.launch({ executablePath: executable(), args: FLAGS });
});

after(async () => {
  await browser?.close();
  server?.stdin.end();
});

const GETS = () => [
  "/opt-in",
  "/opt-in?purpose=marketing&topic=offers",
  `/u/${site.token}`,
  `/p/${site.token}`,
  `/c/${site.link}`,
  `/e/${site.copy}`,
  "/privacy",
  "/do-not-sell",
  "/requests",
  `/r/${site.request}`,
  "/r/dsr_aaaaaaaaaaaaaaaaaaaa",
  "/nowhere-at-all",
];
const address = (path, language) => `${site.url}${path}${path.includes("?") ? "&" : "?"}lang=${language}`;

/// Pages that answer a form; each is reached by the form, as a person would.
const ANSWERS = {
  "opt-in with nothing ticked": async (page, language) => {
    await page.goto(address("/opt-in", language));
    await page.click("button[type=submit]");
  },
  "the code": async (page, language) => {
    await page.goto(address("/opt-in", language));
    // The label covers its whole box, so that a thumb cannot miss it.
    await page.click("label[for=marketing]");
    await page.click("button[type=submit]");
  },
  "the code of a request": async (page, language) => {
    await page.goto(address("/requests", language));
    await page.click("button[type=submit]");
  },
  "a link with nothing ticked": async (page, language) => {
    await page.goto(address(`/c/${site.link}`, language));
    await page.click("button[type=submit]");
  },
  "a link confirmed": async (page, language) => {
    site.pressed = await asked("link");
    await page.goto(address(`/c/${site.pressed}`, language));
    await page.click("label[for=yes]");
    await page.click("button[type=submit]");
    await page.waitForSelector(".seal");
  },
  "a link confirmed before": async (page, language) => {
    await page.goto(address(`/c/${site.pressed}`, language));
    await page.click("label[for=yes]");
    await page.click("button[type=submit]");
    await page.waitForSelector(".seal");
  },
  "a link that has run out": async (page, language) => {
    await page.goto(address(`/c/${await asked("old link")}`, language));
    await page.click("label[for=yes]");
    await page.click("button[type=submit]");
  },
  "a copy, read": async (page, language) => {
    await page.goto(address(`/e/${await asked("copy")}`, language));
    await page.click("button[value=page]");
    await page.waitForSelector("#messages");
  },
  unsubscribed: async (page, language) => {
    await page.goto(address(`/u/${site.token}`, language));
    await page.click("button[type=submit]");
  },
  "a choice stopped": async (page, language) => {
    await page.goto(address(`/p/${site.token}`, language));
    await page.click("button[type=submit]");
    await page.waitForSelector("[role=status]");
  },
  "a topic stopped": async (page, language) => {
    await page.goto(address(`/p/${site.token}`, language));
    await page.click("form:has(input[name=topic]) button");
    await page.waitForSelector("[role=status]");
  },
  "a request not to sell": async (page, language) => {
    await page.goto(address(`/p/${site.token}`, language));
    await page.click("form:has(input[value=sale]) button");
    await page.waitForSelector("[role=status]");
  },
  "the code for a topic": async (page, language) => {
    await page.goto(address(`/p/${site.token}`, language));
    await page.click("a[href*='topic=events']");
    await page.click("label[for=marketing]");
    await page.click("button[type=submit]");
    await page.waitForSelector(".code");
  },
};

/// Visits every page there is in every language.
async function everywhere(options, look) {
  for (const language of site.languages) {
    const context = await browser.newContext({ javaScriptEnabled: false, ...options });
    const page = await context.newPage();
    for (const path of GETS()) {
      // An address that is no route is answered by the API without words.
      if (path === "/nowhere-at-all") continue;
      const answer = await page.goto(address(path, language));
      assert.equal(answer.status(), 200, `${path} ${language}`);
      const name = path.replace(site.token, "token").replace(site.link, "link").replace(site.copy, "copy");
      await look(page, `${name} ${language}`, language);
    }
    for (const [name, reach] of Object.entries(ANSWERS)) {
      await reach(page, language);
      await look(page, `${name} ${language}`, language);
    }
    await context.close();
  }
}

test("every page is whole without JavaScript, in its language and direction", async () => {
  await everywhere({}, async (page, name, language) => {
    const html = page.locator("html");
    assert.equal(await html.getAttribute("lang"), language, name);
    assert.equal(await html.getAttribute("dir"), language === "ar" ? "rtl" : "ltr", name);
    assert.equal(await page.locator("h1").count(), 1, name);
    // A Chinese character says what takes two letters or three.
    const shortest = language.startsWith("zh") ? 20 : 40;
    assert.ok((await page.locator("main").innerText()).length > shortest, name);
    if (language === "ar") {
      const [main, heading] = await page.evaluate(() => {
        const box = (s) => document.querySelector(s).getBoundingClientRect();
        const style = getComputedStyle(document.querySelector("h1"));
        return [box("main"), { ...box("h1").toJSON(), direction: style.direction }];
      });
      assert.equal(heading.direction, "rtl", name);
      assert.ok(Math.abs(main.right - heading.right) < 60, `${name}: starts at the right`);
    }
  });
});

for (const scheme of ["light", "dark"]) {
  test(`nothing scrolls sideways at 320 pixels, in ${scheme}`, async () => {
    const viewport = { width: 320, height: 640 };
    await everywhere({ viewport, colorScheme: scheme }, async (page, name) => {
      const [scroll, client] = await page.evaluate(() => [
        document.documentElement.scrollWidth,
        document.documentElement.clientWidth,
      ]);
      assert.ok(scroll <= client, `${name}: ${scroll} > ${client}`);
    });
  });

  test(`axe finds nothing serious or critical, in ${scheme}`, async () => {
    // axe waits by timers, which a page without JavaScript does not have.
    const options = { viewport: { width: 390, height: 844 }, javaScriptEnabled: true };
    await everywhere({ ...options, colorScheme: scheme }, async (page, name) => {
      await page.evaluate(axe);
      const { violations } = await page.evaluate(() => window.axe.run(document));
      const grave = violations.filter((v) => ["serious", "critical"].includes(v.impact));
      const told = grave.map((v) => `${v.id}: ${v.nodes.map((n) => n.html).join(" ")}`);
      assert.deepEqual(told, [], name);
    });
  });
}

test("dark mode is dark", async () => {
  for (const [colorScheme, isDark] of [["light", false], ["dark", true]]) {
    const page = await (await browser.newContext({ colorScheme })).newPage();
    await page.goto(address("/privacy", "en"));
    const colour = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const [red] = colour.match(/\d+/g).map(Number);
    assert.equal(red < 64, isDark, colour);
    await page.context().close();
  }
});

test("by keyboard alone: every control is reached in order, shows its focus, and Enter submits", async () => {
  for (const language of site.languages) {
    for (const path of GETS().slice(0, 8)) {
      const context = await browser.newContext();
      const page = await context.newPage();
      await page.goto(address(path, language));
      const expected = await page.evaluate(() => {
        const all = [...document.querySelectorAll("a[href], button, input:not([type=hidden])")];
        // Of a group of radio buttons the keyboard reaches the one that is chosen.
        const reached = all.filter((e) => e.type !== "radio" || e.checked);
        reached.forEach((e, i) => (e.dataset.order = i));
        return reached.length;
      });
      for (let i = 0; i < expected; i += 1) {
        await page.keyboard.press("Tab");
        const [order, outline] = await page.evaluate(() => {
          const style = getComputedStyle(document.activeElement);
          return [document.activeElement.dataset.order, style.outlineStyle + style.outlineWidth];
        });
        assert.equal(order, String(i), `${path} ${language}: tab ${i}`);
        assert.match(outline, /solid[2-9]/, `${path} ${language}: focus is seen at ${i}`);
      }
      await context.close();
    }
  }
  const page = await browser.newPage();
  await page.goto(address("/opt-in", "en"));
  await page.focus("#marketing");
  await page.keyboard.press("Space");
  await page.keyboard.press("Enter");
  await page.waitForSelector(".code");
  await page.goto(address(`/u/${site.token}`, "en"));
  await page.focus("#marketing");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await page.waitForSelector(".seal");
  await page.goto(address(`/c/${await asked("link")}`, "en"));
  await page.focus("#yes");
  await page.keyboard.press("Space");
  await page.keyboard.press("Enter");
  await page.waitForSelector(".seal");
  await page.goto(address(`/p/${site.token}`, "en"));
  const before = await stored();
  await page.focus("text=Stop: Offers");
  await page.keyboard.press("Enter");
  await page.waitForSelector("[role=status]");
  assert.equal(await page.locator("text=Stop: Offers").count(), 0);
  assert.equal(await stored(), before + 1, "one record on the queue");
  await page.close();
});

test("link previews and mail scanners change nothing", async () => {
  const agents = [
    "WhatsApp/2.26.10.71 A",
    "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
    "Mozilla/5.0 (compatible; Proofpoint; SafeLinks)",
  ];
  const before = await stored();
  let sent = 0;
  for (let round = 0; round < 34; round += 1) {
    for (const agent of agents) {
      for (const path of GETS().slice(0, 8)) {
        for (const method of ["GET", "HEAD"]) {
          const headers = { "user-agent": agent };
          const answer = await fetch(address(path, "en"), { method, headers });
          await answer.arrayBuffer();
          // The routes of the template have no HEAD: API Gateway answers it by itself.
          if (method === "GET") assert.equal(answer.status, 200, `${agent} ${path}`);
          sent += 1;
        }
      }
    }
  }
  assert.ok(sent >= 1000, `${sent}`);
  // A scanner follows every link of every page, too.
  const page = await browser.newPage();
  for (const path of GETS().slice(0, 8)) {
    await page.goto(address(path, "en"));
    const links = await page.$$eval("a[href]", (all) => all.map((a) => a.href));
    for (const link of links.filter((link) => link.startsWith(site.url))) {
      assert.equal((await fetch(link)).status, 200, link);
    }
  }
  await page.close();
  assert.equal(await stored(), before, "nothing was stored or queued");
  // A machine that presses the button stops messages, and does nothing else.
  const form = { "content-type": "application/x-www-form-urlencoded" };
  const pressed = await fetch(`${site.url}/u/${site.token}`, { method: "POST", headers: form, body: "" });
  assert.equal(pressed.status, 200);
  assert.equal(await stored(), before + 1);
  // One that presses the button of a link to confirm confirms nothing.
  const body = `token=${site.link}&agree=yes`;
  for (const agent of agents) {
    const headers = { ...form, "user-agent": agent };
    const confirmed = await fetch(`${site.url}/c/${site.link}`, { method: "POST", headers, body });
    assert.equal(confirmed.status, 403, agent);
  }
  assert.equal(await stored(), before + 1);
});

test("a browser with Global Privacy Control is told that it is honoured", async () => {
  const context = await browser.newContext({ extraHTTPHeaders: { "sec-gpc": "1" } });
  const page = await context.newPage();
  await page.goto(address("/do-not-sell", "en"));
  assert.match(await page.locator("main").innerText(), /Opt-out request honored/);
  const before = await stored();
  await page.goto(address(`/p/${site.token}`, "en"));
  assert.match(await page.locator("main").innerText(), /Opt-out request honored/);
  assert.equal(await page.locator("input[value=sale]").count(), 0);
  assert.equal(await stored(), before + 1, "the signal of a known link is a request");
  await context.close();
});

test("screenshots", { skip: SCREENSHOTS ? false : "HEADGATE_SCREENSHOTS names no folder" }, async () => {
  mkdirSync(SCREENSHOTS, { recursive: true });
  const phone = { width: 390, height: 844 };
  const desk = { width: 1100, height: 900 };
  for (const [name, path, language, viewport, colorScheme] of [
    ["opt-in", "/opt-in", "en", desk, "light"],
    ["opt-in-phone", "/opt-in", "de", phone, "light"],
    ["opt-in-phone-dark", "/opt-in", "zh-Hant", phone, "dark"],
    ["link", `/c/${site.link}`, "en", phone, "light"],
    ["copy", `/e/${site.copy}`, "en", phone, "light"],
    ["preferences", `/p/${site.token}`, "en", phone, "light"],
    ["privacy", "/privacy", "en", desk, "light"],
    ["do-not-sell-rtl", "/do-not-sell", "ar", phone, "light"],
  ]) {
    const context = await browser.newContext({ viewport, colorScheme });
    const page = await context.newPage();
    await page.goto(address(path, language));
    await page.screenshot({ path: join(SCREENSHOTS, `${name}.png`), fullPage: name !== "privacy" });
    await context.close();
  }
});
