let timer: number | undefined;

// Tells the user what has happened: on the screen for a while, and to a screen reader.
export function say(text: string) {
  const status = document.getElementById("status")!;
  status.textContent = text;
  clearTimeout(timer);
  timer = setTimeout(() => (status.textContent = ""), 6000);
}
