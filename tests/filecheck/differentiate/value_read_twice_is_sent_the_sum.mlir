// RUN: differentiate{loss=given}
// CHECK: %[[T:.*]] = nn.reduce %s {kind = "sum", dims = [0], loc = "sum"}
// CHECK: %[[A:.*]] = nn.multiply %{{.*}}, %x
// CHECK: %[[B:.*]] = nn.multiply %{{.*}}, %x
// CHECK: %[[G:.*]] = nn.add %[[A]], %[[B]]
// CHECK: func.return %[[T]], %[[G]]
func.func @main(%x: tensor<4xf32>) -> tensor<f32> {
  %s = nn.multiply %x, %x {loc = "square"} : tensor<4xf32>
  %t = nn.reduce %s {kind = "sum", dims = [0], loc = "sum"} : (tensor<4xf32>) -> tensor<f32>
  func.return %t : tensor<f32>
}
