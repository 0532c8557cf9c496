// Holds the numbers on a page of `adit spread` against the summary.csv beside it.

import fs from 'node:fs';
import path from 'node:path';
import { SCREENS, check, folder, open } from './open.mjs';

// Every number of the page is the one of the file, digit by digit.
export async function numbers(study) {
  const page = await open(`${study}/report.html`, SCREENS[0]);
  const data = await page.evaluate(() => JSON.parse(document.getElementById('numbers').textContent));
  await page.close();
  const [header, ...rows] = fs.readFileSync(path.join(folder, study, 'summary.csv'), 'utf8').trim().split('\n');
  const columns = header.split(',');
  const wanted = new Map();
  for (const row of rows) {
    const [time, region, variable, ...values] = row.split(',');
    wanted.set(`${time} ${region} ${variable}`, values);
  }
  let count = 0;
  for (const [region, variables] of Object.entries(data.series)) {
    for (const [variable, lists] of Object.entries(variables)) {
      for (const [column, values] of Object.entries(lists)) {
        values.forEach((value, at) => {
          const text = wanted.get(`${data.days[at]} ${region} ${variable}`)?.[columns.indexOf(column) - 3];
          const same = value === null ? text === '' : Number(text) === value;
          if (!same) check(false, `${data.days[at]} ${region} ${variable} ${column} is ${value}, in the file ${text}`);
          count += 1;
        });
      }
    }
  }
  check(count > 10_000, `only ${count} numbers are on the page`);
  return count;
}
