// A browser whose pages may not complain, ask for anything or stick out to the
// side; what they do wrong is collected. For the scripts that ci/browser runs.

import { chromium } from 'playwright-core';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

// Arguments of every script: CHROMIUM PROFILE FOLDER [FOLDER FOR SCREENSHOTS]
const [executablePath, profile, pages, shots] = process.argv.slice(2);
export const folder = pages;

export const SCREENS = [
  { name: 'laptop', width: 1280, height: 800, colorScheme: 'light' },
  { name: 'laptop-dark', width: 1280, height: 800, colorScheme: 'dark' },
  { name: 'phone', width: 375, height: 812, colorScheme: 'light' },
  { name: 'phone-dark', width: 375, height: 812, colorScheme: 'dark' },
  { name: 'small-phone', width: 320, height: 568, colorScheme: 'light' },
];

// More would not be read.
const PROBLEMS_SHOWN = 40;

const problems = [];
let where = '';
export const check = (good, text) => {
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

export async function open(file, screen) {
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
  check(await page.evaluate(() => window.pwned === undefined), 'a text from outside ran as a script');
  return page;
}

export async function fits(page, when) {
  const { wide, room } = await page.evaluate(() => ({
    wide: document.documentElement.scrollWidth,
    room: document.documentElement.clientWidth,
  }));
  check(wide <= room, `${when}: ${wide} px wide on a screen of ${room}`);
}

export async function shot(page, name, whole = true) {
  if (shots) await page.screenshot({ path: path.join(shots, `${name}.png`), fullPage: whole });
}

// Runs `examine`, which gives what to say if all is well.
export async function examined(examine) {
  let fine;
  try {
    fine = await examine();
  } finally {
    await context.close();
  }
  if (problems.length > 0) {
    console.error(problems.slice(0, PROBLEMS_SHOWN).map(problem => `  ${problem}`).join('\n'));
    console.error(`browser: ${problems.length} problems`);
    process.exit(1);
  }
  console.log(`browser: ${fine}`);
}
