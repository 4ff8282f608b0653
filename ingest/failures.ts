// The last two handlers of every app: nothing is served here, and something failed unexpectedly.
import type { ErrorRequestHandler, RequestHandler } from "express";
import type { Logger } from "pino";
import { errorCatalogue, LogboomError, toLogboomError } from "../schemas/errors.ts";

export const answerNotFound: RequestHandler = (request, _response, next) => {
  next(new LogboomError("NOT_FOUND", `nothing is served at ${request.method} ${request.path}`));
};

export function answerFailure(logger: Logger): ErrorRequestHandler {
  return (thrown, _request, response, _next) => {
    const error = toLogboomError(thrown);
    if (error.code === "INTERNAL") logger.error({ err: error.cause }, "request failed");
    if (response.headersSent) {
      response.destroy();
      return;
    }
    response
      .status(errorCatalogue[error.code].status)
      .json({ error: error.message, errorCode: error.code, details: error.details });
  };
}
