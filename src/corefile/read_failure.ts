/** Why a file could not be read, for an operator. */
export function readFailure(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  switch (error.name) {
    case "NotFound":
      return "there is no such file";
    case "PermissionDenied":
      return "permission denied";
    case "NotCapable":
      return `nodens was not given the permission to read it (${error.message})`;
    case "IsADirectory":
      return "it is a directory";
    default:
      return error.message;
  }
}
