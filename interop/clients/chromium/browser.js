'use strict';
// A real browser, on a page of ours, whose WebSockets a test drives.

const { createHash, X509Certificate } = require('node:crypto');
const { once } = require('node:events');
const fs = require('node:fs');
const http = require('node:http');
const os = require('node:os');
const path = require('node:path');
const { chromium } = require('playwright-core');
const { PATIENCE, file } = require('../telsiz.js');

const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** A browser with a profile of its own, and the web server of its one page. */
class Browser {
  static async launch() {
    const browser = new Browser();
    browser.profile = fs.mkdtempSync(path.join(os.tmpdir(), 'telsiz-chromium-'));
    browser.context = await chromium.launchPersistentContext(browser.profile, {
      executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
      headless: true,
      args: [...FLAGS, `--ignore-certificate-errors-spki-list=${serverKey()}`],
    });
    browser.context.setDefaultTimeout(PATIENCE);
    browser.web = http.createServer((request, response) => {
      const known = { '/': ['page.html', 'text/html'], '/page.js': ['page.js', 'text/javascript'] }[request.url];
      if (!known) return response.writeHead(404).end();
      response.writeHead(200, { 'Content-Type': `${known[1]}; charset=utf-8` });
      response.end(fs.readFileSync(path.join(__dirname, known[0])));
    });
    browser.web.listen(0, '127.0.0.1');
    await once(browser.web, 'listening');
    return browser;
  }

  /** Opens the page; what `page.js` defines can be called in it. */
  async page(t) {
    const page = await this.context.newPage();
    t.after(() => page.close());
    await page.goto(`http://127.0.0.1:${this.web.address().port}/`);
    return page;
  }

  async close() {
    await this.context?.close();
    this.web?.close();
    fs.rmSync(this.profile, { recursive: true, force: true });
  }
}

/** The key of the server's certificate, as Chromium wants it named: then it trusts this one and no other. */
function serverKey() {
  const certificate = new X509Certificate(fs.readFileSync(file('server.pem')));
  const key = certificate.publicKey.export({ type: 'spki', format: 'der' });
  return createHash('sha256').update(key).digest('base64');
}

module.exports = { Browser };
