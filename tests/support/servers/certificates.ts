/** A test's certificate: PEM files, and their texts. */
export interface Certificate {
  readonly certFile: string;
  readonly keyFile: string;
  readonly cert: string;
  readonly key: string;
}

export interface Authority {
  readonly directory: string;
  readonly caFile: string;
  readonly ca: string;
  /**
   * Makes a certificate with dates in openssl's form (`20200101000000Z`); default: valid for ten
   * days.
   */
  issue(names: string, dates?: { from: string; until: string }): Certificate;
  remove(): void;
}

const CONFIGURATION = `[ca]
default_ca = authority
[authority]
database = index.txt
new_certs_dir = .
serial = serial
default_md = sha256
unique_subject = no
policy = policy
certificate = ca.pem
private_key = ca.key
default_days = 10
[policy]
commonName = supplied
`;

/** Makes a certificate authority with openssl. */
export function makeAuthority(commonName = "nodens test authority"): Authority {
  const directory = Deno.makeTempDirSync({ prefix: "nodens_tls_" });
  const path = (name: string) => `${directory}/${name}`;
  Deno.writeTextFileSync(path("ca.cnf"), CONFIGURATION);
  Deno.writeTextFileSync(path("index.txt"), "");
  Deno.writeTextFileSync(path("serial"), "1000\n");
  const request = ["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  openssl(directory, [...request, "-x509", "-subj", `/CN=${commonName}`, "-days", "10"], {
    "-keyout": "ca.key",
    "-out": "ca.pem",
  });
  let count = 0;
  return {
    directory,
    caFile: path("ca.pem"),
    ca: Deno.readTextFileSync(path("ca.pem")),
    issue(names, dates) {
      const base = `leaf${count++}`;
      const extensions = `basicConstraints = CA:FALSE\nsubjectAltName = ${names}\n`;
      Deno.writeTextFileSync(path(`${base}.ext`), extensions);
      openssl(directory, [...request, "-subj", `/CN=${base}`], {
        "-keyout": `${base}.key`,
        "-out": `${base}.csr`,
      });
      openssl(directory, ["ca", "-batch", "-notext", "-config", "ca.cnf"], {
        "-in": `${base}.csr`,
        "-out": `${base}.pem`,
        "-extfile": `${base}.ext`,
        ...(dates === undefined ? {} : { "-startdate": dates.from, "-enddate": dates.until }),
      });
      return {
        certFile: path(`${base}.pem`),
        keyFile: path(`${base}.key`),
        cert: Deno.readTextFileSync(path(`${base}.pem`)),
        key: Deno.readTextFileSync(path(`${base}.key`)),
      };
    },
    remove: () => Deno.removeSync(directory, { recursive: true }),
  };
}

function openssl(cwd: string, args: string[], options: Record<string, string>): void {
  const all = [...args, ...Object.entries(options).flat()];
  const { success, stderr } = new Deno.Command("openssl", { args: all, cwd }).outputSync();
  if (!success) throw new Error(`openssl ${all.join(" ")}:\n${new TextDecoder().decode(stderr)}`);
}
