// The style of the payment page.

export const STYLE = `
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 40rem; margin: 3rem auto; padding: 0 1rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1rem; }
dt { opacity: .7; }
dd { margin: 0; overflow-wrap: anywhere; }
pre { padding: .75rem; border: 1px solid; border-radius: .25rem; white-space: pre-wrap; overflow-wrap: anywhere; }
button { font: inherit; padding: .5rem 1rem; margin: 0 .5rem .5rem 0; }
.refusal { border-left: .25rem solid; padding-left: .75rem; }
`;
