'use strict';
(() => {
  const cases = [...document.querySelectorAll('.case')];
  const buttons = [...document.querySelectorAll('button[data-show]')];
  const nothing = document.getElementById('nothing');
  const show = which => {
    let shown = 0;
    for (const box of cases) {
      box.hidden = which !== 'all' && box.dataset.verdict !== which;
      if (!box.hidden) shown += 1;
    }
    for (const group of document.querySelectorAll('.group')) {
      group.hidden = !group.querySelector('.case:not([hidden])');
    }
    for (const button of buttons) {
      button.setAttribute('aria-pressed', String(button.dataset.show === which));
    }
    if (nothing) nothing.hidden = shown > 0;
  };
  for (const button of buttons) {
    button.addEventListener('click', () => show(button.dataset.show));
  }
  const follow = () => {
    const box = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!box || !box.classList.contains('case')) return;
    if (box.hidden) show('all');
    box.open = true;
    box.scrollIntoView();
  };
  addEventListener('hashchange', follow);
  follow();
})();
