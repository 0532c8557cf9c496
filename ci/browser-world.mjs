// Opens the pages of a study in Chromium, moves the slider, and holds the page's
// numbers against summary.csv; ci/browser calls it.
//
// FOLDER has a/report.html, a/summary.csv and diff.html.

import { numbers } from './numbers.mjs';
import { SCREENS, check, examined, fits, open, shot } from './open.mjs';

const classes = page =>
  page.evaluate(() => [...document.querySelectorAll('[data-region]')].map(spot => spot.getAttribute('class')).join());

async function report(screen) {
  const page = await open('a/report.html', screen);
  await fits(page, 'at first');
  await shot(page, `world-${screen.name}`);
  await shot(page, `world-top-${screen.name}`, false);
  const slider = page.locator('#when');
  const date = () => page.locator('output.day').textContent();
  const [last, before] = [await date(), await classes(page)];
  // By keyboard, as one without a mouse does.
  await slider.focus();
  await page.keyboard.press('Home');
  const first = await date();
  check(first < last, `the slider goes from ${first} to ${last}`);
  check((await slider.getAttribute('aria-valuetext')) === first, 'the slider does not say its day');
  check((await classes(page)) !== before, 'the map does not change with the day');
  await page.keyboard.press('ArrowRight');
  check((await date()) > first, 'an arrow does not move the slider');
  check((await page.locator('td.n').first().textContent()).includes('%'), 'the table of regions is empty');
  await page.keyboard.press('End');
  check((await date()) === last, 'the slider does not come back');
  const seen = new Set();
  for (const radio of await page.locator('input[name="metric"]').all()) {
    await radio.check();
    const keys = await page.locator('#keys').textContent();
    check(!/NaN|undefined|Infinity/.test(keys), `the legend says ${keys}`);
    seen.add(`${keys} ${await classes(page)}`);
    await fits(page, `the map of ${await radio.getAttribute('value')}`);
    await shot(page, `world-map-${await radio.getAttribute('value')}-${screen.name}`, false);
  }
  check(seen.size === 4, `four maps look like ${seen.size}`);
  for (const figure of await page.locator('figure').all()) {
    const text = await figure.textContent();
    check(!/NaN|undefined|Infinity/.test(text), `a figure says ${text.slice(0, 200)}`);
    const picture = figure.locator('svg');
    const size = (await picture.count()) === 1 && await picture.boundingBox();
    check(size && size.width > 200 && size.height > 80, `a picture of ${JSON.stringify(size)}: ${text.slice(0, 60)}`);
    const label = await picture.getAttribute('aria-label');
    check(label && !/NaN|undefined|Infinity/.test(label), `a picture is called ${label}`);
  }
  const options = await page.locator('#country option').count();
  check(options > 10, `only ${options} countries`);
  const title = () => page.locator('#country-hashrate h3').textContent();
  const largest = await title();
  await page.locator('#country').selectOption({ index: 3 });
  check((await title()) !== largest, 'another country looks the same');
  await page.evaluate(() => document.querySelectorAll('details').forEach(box => { box.open = true; }));
  await fits(page, 'with everything open');
  // On paper nothing is cut off.
  await page.emulateMedia({ media: 'print' });
  await fits(page, 'in print');
  await page.close();
}

async function difference(screen) {
  const page = await open('diff.html', screen);
  await fits(page, 'at first');
  await shot(page, `world-diff-${screen.name}`);
  check((await page.locator('tr.flag').count()) > 0, 'nothing is flagged');
  await page.evaluate(() => document.querySelectorAll('details').forEach(box => { box.open = true; }));
  await fits(page, 'with everything open');
  await page.close();
}

await examined(async () => {
  const count = await numbers('a');
  for (const screen of SCREENS) {
    await report(screen);
    await difference(screen);
  }
  return `a study on ${SCREENS.length} screens is fine, and ${count} numbers are those of the file`;
});
