/** A method and a path as REST APIs write them: `POST /task`, `GET /task/{id}`, `ANY /files/{path+}`. */
export const restRoutePattern =
  /^(?:ANY|GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS) (?:\/|(?:\/(?:[\w.~%!$&'()*,;=:@-]+|\{[\w.-]+\}))+|(?:\/(?:[\w.~%!$&'()*,;=:@-]+|\{[\w.-]+\}))*\/\{[\w.-]+\+\})$/;
