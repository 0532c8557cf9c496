// Opens the pages of a report in Chromium and clicks through them; ci/browser calls it.
//
// Usage: node page.mjs CHROMIUM PROFILE FOLDER [FOLDER FOR SCREENSHOTS]

import { chromium } from 'playwright-core';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const [executablePath, profile, folder, shots] = process.argv.slice(2);
const SCREENS = [
  { name: 'laptop', width: 1280, height: 800, colorScheme: 'light' },
  { name: 'laptop-dark', width: 1280, height: 800, colorScheme: 'dark' },
  { name: 'phone', width: 375, height: 812, colorScheme: 'light' },
  { name: 'phone-dark', width: 375, height: 812, colorScheme: 'dark' },
  { name: 'small-phone', width: 320, height: 568, colorScheme: 'light' },
];
const problems = [];
let where = '';
const check = (good, text) => {
  if (!good) problems.push(`${where}: ${text}`);
};

const context = await chromium.launchPersistentContext(profile, {
  executablePath,
  headless: true,
  args: [
    '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
    '--disable-background-networking', '--disable-component-update', '--disable-sync',
  ],
});

async function open(file, screen) {
  where = `${file} on ${screen.name}`;
  const page = await context.newPage();
  const here = where;
  const note = text => problems.push(`${here}: ${text}`);
  page.on('console', message => {
    if (['error', 'warning'].includes(message.type())) note(`console ${message.type()}: ${message.text()}`);
  });
  page.on('pageerror', error => note(`script error: ${error.message}`));
  page.on('dialog', dialog => note(`a dialog: ${dialog.message()}`));
  const address = pathToFileURL(path.resolve(folder, file)).href;
  page.on('request', request => {
    const url = request.url();
    if (url.split('#')[0] !== address && !url.startsWith('data:')) note(`a request for ${url}`);
  });
  await page.setViewportSize({ width: screen.width, height: screen.height });
  await page.emulateMedia({ colorScheme: screen.colorScheme });
  await page.goto(address);
  return page;
}

async function fits(page, when) {
  const { wide, room } = await page.evaluate(() => ({
    wide: document.documentElement.scrollWidth,
    room: document.documentElement.clientWidth,
  }));
  check(wide <= room, `${when}: ${wide} px wide on a screen of ${room}`);
}

async function shot(page, name) {
  if (shots) await page.screenshot({ path: path.join(shots, `${name}.png`), fullPage: true });
}

async function report(screen) {
  const page = await open('report.html', screen);
  await fits(page, 'at first');
  await shot(page, `report-${screen.name}`);
  check(await page.evaluate(() => window.pwned === undefined), 'a string of the device ran as a script');
  const all = await page.locator('.case').count();
  check(all > 5, `only ${all} cases on the page`);
  const buttons = page.locator('nav button');
  check((await buttons.count()) >= 5, 'there are too few filters');
  for (const button of await buttons.all()) {
    const which = await button.getAttribute('data-show');
    const expected = Number(await button.locator('b').textContent());
    await button.click();
    const shown = await page.locator('.case:visible').count();
    check(shown === expected, `filter ${which} shows ${shown} cases of ${expected}`);
    if (which !== 'all') {
      const others = await page.locator(`.case:visible:not([data-verdict="${which}"])`).count();
      check(others === 0, `filter ${which} shows ${others} others`);
    }
    check((await button.getAttribute('aria-pressed')) === 'true', `filter ${which} does not look pressed`);
    await fits(page, `filter ${which}`);
  }
  // A link to a case that a filter hides shows and opens it.
  await page.locator('nav button[data-show="pass"]').click();
  await page.locator('.findings a').first().click();
  const id = (await page.evaluate(() => location.hash)).slice(1);
  const box = page.locator(`[id="${id}"]`);
  check(await box.isVisible(), `the link to ${id} does not show it`);
  check(await box.evaluate(element => element.open), `the link to ${id} does not open it`);
  // Everything open at once is the widest and longest it can be.
  await page.locator('nav button[data-show="all"]').click();
  await page.evaluate(() => document.querySelectorAll('details').forEach(box => { box.open = true; }));
  await fits(page, 'with all cases open');
  for (const picture of await page.locator('svg').all()) {
    const size = await picture.boundingBox();
    check(size && size.width > 200 && size.height > 80, `a picture of ${JSON.stringify(size)}`);
  }
  check((await page.locator('svg').count()) >= 10, 'pictures are missing');
  await shot(page, `report-open-${screen.name}`);
  await page.close();
}

async function comparison(screen) {
  const page = await open('compare.html', screen);
  await fits(page, 'at first');
  await shot(page, `compare-${screen.name}`);
  check((await page.locator('table').count()) > 2, 'tables are missing');
  await page.close();
}

try {
  for (const screen of SCREENS) {
    await report(screen);
    await comparison(screen);
  }
} finally {
  await context.close();
}
if (problems.length > 0) {
  console.error(problems.map(problem => `  ${problem}`).join('\n'));
  console.error(`browser: ${problems.length} problems`);
  process.exit(1);
}
console.log(`browser: two pages on ${SCREENS.length} screens are fine`);
