// Opens the pages of a report in Chromium and clicks through them; ci/browser calls it.
//
// FOLDER has report.html and compare.html.

import { SCREENS, check, examined, fits, open, shot } from './open.mjs';

async function report(screen) {
  const page = await open('report.html', screen);
  await fits(page, 'at first');
  await shot(page, `report-${screen.name}`);
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

await examined(async () => {
  for (const screen of SCREENS) {
    await report(screen);
    await comparison(screen);
  }
  return `two pages on ${SCREENS.length} screens are fine`;
});
