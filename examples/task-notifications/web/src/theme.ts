import { type CSSVariablesResolver, createTheme, type MantineColorsTuple } from "@mantine/core";

/** 朱 (shu), the vermilion of a seal. White text on shade 7 has a contrast of 5.2. */
const shu: MantineColorsTuple = [
  "#fff3ee",
  "#ffe3d8",
  "#fcc4b0",
  "#f8a185",
  "#f38060",
  "#ea6340",
  "#dc4d2a",
  "#c23f1f",
  "#9f3419",
  "#7d2a16",
];

/** Greys with a little warmth, as of paper. */
const gray: MantineColorsTuple = [
  "#faf7f3",
  "#f3eee8",
  "#e8e1d8",
  "#dad1c6",
  "#c4b9ac",
  "#a89c8e",
  "#857a6d",
  "#665d52",
  "#4a433b",
  "#2f2a25",
];

/** And of ink; lightest first, as Mantine wants it. */
const dark: MantineColorsTuple = [
  "#ece6df",
  "#cfc7be",
  "#aaa197",
  "#857c73",
  "#5f574f",
  "#463f38",
  "#352f29",
  "#26211d",
  "#1b1714",
  "#12100e",
];

export const theme = createTheme({
  primaryColor: "shu",
  primaryShade: 7,
  colors: { shu, gray, dark },
  black: "#2a2520",
  defaultRadius: "md",
  cursorType: "pointer",
  respectReducedMotion: true,
  fontFamily: 'system-ui, -apple-system, "Segoe UI", "Hiragino Sans", "Noto Sans", "Noto Sans CJK JP", sans-serif',
  headings: {
    fontFamily:
      '"Iowan Old Style", "Palatino Linotype", Palatino, "Hiragino Mincho ProN", "Noto Serif", Georgia, serif',
    fontWeight: "600",
    sizes: {
      h1: { fontSize: "clamp(1.75rem, 1.4rem + 1.6vw, 2.375rem)", lineHeight: "1.2" },
      h2: { fontSize: "1.25rem", lineHeight: "1.3" },
    },
  },
});

/** Colours that Mantine has no words for. The second greys of its own are too pale to read on our paper (WCAG asks for 4.5). */
export const cssVariables: CSSVariablesResolver = () => ({
  variables: {},
  light: {
    "--mantine-color-body": "#faf7f3",
    "--mantine-color-dimmed": "#665d52",
    "--mantine-color-placeholder": "#7a6f63",
    "--mantine-color-error": "#b3213b",
    "--paper": "#ffffff",
    "--hairline": "#e8e1d8",
    "--accent-text": "#b3391b",
    "--queued": "#665d52",
    "--queued-soft": "#f1ece5",
    "--working": "#27598a",
    "--working-soft": "#e6eef6",
    "--done": "#466b1f",
    "--done-soft": "#eaf1de",
    "--failed": "#b3213b",
    "--failed-soft": "#fae6e8",
  },
  dark: {
    "--mantine-color-body": "#1b1714",
    "--mantine-color-dimmed": "#aaa197",
    "--mantine-color-placeholder": "#938a80",
    "--mantine-color-error": "#f79aa5",
    "--paper": "#26211d",
    "--hairline": "#3a332d",
    "--accent-text": "#f8a185",
    "--queued": "#bdb4a9",
    "--queued-soft": "#38322c",
    "--working": "#93c3f0",
    "--working-soft": "#22303d",
    "--done": "#b4d486",
    "--done-soft": "#2b3520",
    "--failed": "#f79aa5",
    "--failed-soft": "#43262a",
  },
});
