"use strict";
(() => {
  const root = document.documentElement;
  const byId = (id) => document.getElementById(id);
  const frames = [...document.querySelectorAll(".frame")];
  const links = [...document.querySelectorAll("#steps a")];
  const moments = [...document.querySelectorAll(".moment")];
  const list = document.querySelector("nav");
  const position = byId("position");
  let at = 0;
  let timer = 0;

  // What an element says in the language that is shown.
  const said = (element) => {
    const own = [...element.children].find((child) => child.lang === root.lang);
    return (own || element).textContent.trim();
  };

  const fragment = () => {
    const match = /^#frame-([0-9]+)$/.exec(location.hash);
    const number = match ? Number(match[1]) : 1;
    return number >= 1 && number <= frames.length ? number - 1 : 0;
  };

  const describe = () => {
    const text = `${at + 1}/${frames.length} ${said(links[at])}`;
    byId("count").textContent = `${at + 1}/${frames.length}`;
    position.setAttribute("aria-valuetext", text);
    byId("spoken").textContent = text;
  };

  const show = (number) => {
    at = Math.max(0, Math.min(frames.length - 1, number));
    frames.forEach((frame, n) => { frame.hidden = n !== at; });
    moments.forEach((moment) => { moment.hidden = moment.dataset.picture !== frames[at].dataset.picture; });
    links.forEach((link, n) => {
      if (n === at) {
        link.setAttribute("aria-current", "step");
      } else {
        link.removeAttribute("aria-current");
      }
    });
    const row = links[at].getBoundingClientRect().top - list.getBoundingClientRect().top + list.scrollTop;
    if (row < list.scrollTop || row > list.scrollTop + list.clientHeight - 60) {
      list.scrollTop = row - list.clientHeight / 3;
    }
    position.value = String(at + 1);
    byId("back").disabled = byId("first").disabled = at === 0;
    byId("next").disabled = byId("last").disabled = at === frames.length - 1;
    history.replaceState(null, "", `#frame-${at + 1}`);
    describe();
  };

  const pause = () => {
    clearInterval(timer);
    timer = 0;
    root.classList.remove("playing");
  };

  const play = () => {
    if (timer) {
      pause();
      return;
    }
    if (at === frames.length - 1) {
      show(0);
    }
    root.classList.add("playing");
    timer = setInterval(() => {
      show(at + 1);
      if (at === frames.length - 1) {
        pause();
      }
    }, 1600);
  };

  const go = (number) => {
    pause();
    show(number);
  };

  const speak = () => {
    root.lang = root.lang === "en" ? "zh-CN" : "en";
    describe();
  };

  const keys = {
    ArrowLeft: () => go(at - 1),
    ArrowRight: () => go(at + 1),
    Home: () => go(0),
    End: () => go(frames.length - 1),
    " ": play,
    l: speak,
    L: speak,
  };

  byId("first").addEventListener("click", () => go(0));
  byId("back").addEventListener("click", () => go(at - 1));
  byId("play").addEventListener("click", play);
  byId("next").addEventListener("click", () => go(at + 1));
  byId("last").addEventListener("click", () => go(frames.length - 1));
  byId("language").addEventListener("click", speak);
  position.addEventListener("input", () => go(Number(position.value) - 1));
  addEventListener("hashchange", () => go(fragment()));
  links.forEach((link, n) => link.addEventListener("click", (event) => {
    event.preventDefault();
    go(n);
  }));
  document.addEventListener("keydown", (event) => {
    const own = event.target.closest("input, pre");
    const presses = event.key === " " && event.target.closest("button");
    if (event.ctrlKey || event.metaKey || event.altKey || own || presses || !keys[event.key]) {
      return;
    }
    event.preventDefault();
    keys[event.key]();
  });

  root.classList.add("plays");
  if (frames.length > 0) {
    show(fragment());
  }
})();
