// Opens the page of a study of the eras in Chromium: curves with bands, shares on top of each
// other, tables, and its numbers against summary.csv; ci/browser calls it.
//
// FOLDER has eras/report.html and eras/summary.csv.

import { numbers } from './numbers.mjs';
import { SCREENS, check, examined, fits, open, shot } from './open.mjs';

async function report(screen) {
  const page = await open('eras/report.html', screen);
  await fits(page, 'at first');
  await shot(page, `eras-${screen.name}`);
  await shot(page, `eras-top-${screen.name}`, false);
  const slider = page.locator('#when');
  const date = () => page.locator('output.day').textContent();
  const last = await date();
  await slider.focus();
  await page.keyboard.press('Home');
  check((await date()) < last, 'the slider does not move');
  check((await page.locator('.value').first().textContent()).startsWith(await date()), 'a curve does not follow the slider');
  const figures = await page.locator('figure').all();
  check(figures.length > 25, `only ${figures.length} figures`);
  for (const figure of figures) {
    const text = await figure.textContent();
    check(!/NaN|undefined|Infinity/.test(text), `a figure says ${text.slice(0, 200)}`);
    const picture = figure.locator('svg');
    const size = (await picture.count()) === 1 && await picture.boundingBox();
    check(size && size.width > 200 && size.height > 80, `a picture of ${JSON.stringify(size)}: ${text.slice(0, 60)}`);
    const drawn = await picture.evaluate(svg => [...svg.querySelectorAll('path')].some(line => (line.getAttribute('d') ?? '').length > 20));
    check(drawn, `nothing is drawn: ${text.slice(0, 60)}`);
    const marks = await picture.evaluate(svg => [...svg.querySelectorAll('path')].map(line => line.getAttribute('d') ?? '').join());
    check(!/NaN|Infinity/.test(marks), `a line leads nowhere: ${text.slice(0, 60)}`);
    const label = await picture.getAttribute('aria-label');
    check(label && !/NaN|undefined|Infinity/.test(label), `a picture is called ${label}`);
  }
  const tables = await page.locator('table').allTextContents();
  check(tables[0].includes('50 %') && tables[1].includes('pass'), 'when homes left, or the facts, are missing');
  check(!tables.some(text => /NaN|undefined|Infinity/.test(text)), 'a table says NaN');
  await page.evaluate(() => document.querySelectorAll('details').forEach(box => { box.open = true; }));
  await fits(page, 'with everything open');
  await page.emulateMedia({ media: 'print' });
  await fits(page, 'in print');
  await page.close();
}

await examined(async () => {
  const count = await numbers('eras');
  for (const screen of SCREENS) await report(screen);
  return `a study of the eras on ${SCREENS.length} screens is fine, and ${count} numbers are those of the file`;
});
