// The name has a digest of the content: browsers keep this file for a year.
document.querySelector("h1").textContent = "Hello from a file that is sent compressed";
