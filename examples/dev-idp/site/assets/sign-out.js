// The app has proved with the user's own id token who is to be signed out: no need to ask.
document.querySelector("button[name=logout]").click();
