export { md5OfAttributes, md5OfBody } from "../domain/aws-md5.ts";
